r"""Shell texts for containers: the Python that programs of ours get there, and the environment of its first process.

PYTHON becomes that Python. `python3` may be another than Ray's and vLLM's: they may be in a venv or conda whose `ray`
alone is on the PATH. The first line of `ray` tells, else that of `vllm`: a path, `env python3`, or, where the path is
long, pip's and uv's `#!/bin/sh` with, below it, `'''exec' "/path/python" "$0" "$@"`
(https://github.com/pypa/distlib/blob/0.3.9/distlib/scripts.py#L159). What is no such script, a wrapper or a binary,
tells nothing. Nothing but builtins, and `exec` at the end: no further process, no further round trip. Only the script
of a venv that may be moved (uv's `--relocatable`) tells its Python by where the script lies, which `realpath` knows.

What an entrypoint or BASH_ENV sets, the first process has, and what `docker exec` begins has not. `/proc/1/environ`
would tell only where the first process is process 1 and was begun with all of it: not with `docker run --init` or
`--pid host`, not with an entrypoint such as tini, nor where bash itself stays. So a process is kept beside it that
has the environment in its own, where whoever may read the container's may read it, and nobody else.
"""

import shlex

PYTHON = r"""IFS=: && set -f
for _of in ray vllm; do
    for _in in $PATH; do
        [ -f "$_in/$_of" ] && [ -x "$_in/$_of" ] || continue
        { IFS= read -r _first; IFS= read -r _next; } 2>/dev/null <"$_in/$_of"
        case $_first in
            "#!"*/env\ *) _by=${_first#*/env }; _by=${_by#-S }; _by=${_by%% *} ;;
            "#!"*/sh) _by=${_next#"'''exec' "}; _by=${_by%' "$0" "$@"'}; _by=${_by#[\"\']}; _by=${_by%[\"\']} ;;
            *) _by=${_first#"#!"}; _by=${_by# }; _by=${_by%% *} ;;
        esac
        case $_by in *'$0'*) _by=$(realpath "$_in/$_of"); _by=${_by%/*}/python ;; esac
        case ${_by##*/} in python*) ! command -v "$_by" >/dev/null || exec "$_by" "$@" ;; esac
        break
    done
done
! command -v python3 >/dev/null || exec python3 "$@"
set +f
for _by in /opt/*/bin/python3 /opt/*/*/bin/python3 /usr/local/*/bin/python3 ~/.venv/bin/python3; do
    [ ! -x "$_by" ] || exec "$_by" "$@"
done
echo "there is no python3 on its PATH, $PATH" >&2
exit 127
"""

HELD = "RAYCLUSTER_HOLDS=environment"
HOLDER = "/var/tmp/raycluster.holder"  # noqa: S108 - every image lets everybody write to it
HOLD = f"{HELD} sleep infinity </dev/null >/dev/null 2>&1 & echo $! >{HOLDER}; "
"""For the shell that a container begins with: keeps its environment for those that come later."""

_TAKE = rf"""unset BASH_ENV
_held() {{
    read -r _pid <{HOLDER} || return
    while IFS= read -r -d '' _each; do
        [ "$_each" != {HELD} ] || return 0
    done <"/proc/$_pid/environ"
    return 1
}}
for ((_try = 0; ; _try++)); do
    ! _held 2>/dev/null || break
    [ "$_try" -lt 600 ] || {{ echo "the image's entrypoint has not begun our command within a minute" >&2; exit 125; }}
    sleep 0.1
done
while IFS= read -r -d '' _each; do
    [ "$_each" = {HELD} ] || export "$_each"
done 2>/dev/null <"/proc/$_pid/environ"
cd "$PWD" || exit
"""
"""For bash. A process by that number may be another, of a container that has just begun to start again: it is waited
for the one that holds the environment."""


def entered(text: str) -> str:
    """The shell text, run with the environment of the container's first process. BASH_ENV is not read once more."""
    taken = f'{_TAKE}exec sh -c {shlex.quote(text)} "$0" "$@"'
    return f'BASH_ENV= exec bash -c {shlex.quote(taken)} "$0" "$@"'
