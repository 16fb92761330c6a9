r"""Shell texts for containers: the Python that programs of ours get there, and the environment of its first process.

PYTHON becomes that Python. `python3` may be another than Ray's and vLLM's: they may be in a venv or conda whose `ray`
alone is on the PATH. The first line of `ray` tells, else that of `vllm`: a path, `env python3`, or, where the path is
long, pip's and uv's `#!/bin/sh` with, below it, `'''exec' "/path/python" "$0" "$@"`
(https://github.com/pypa/distlib/blob/0.3.9/distlib/scripts.py#L159). What is no such script, a wrapper or a binary,
tells nothing. Nothing but builtins, and `exec` at the end: no further process, no further round trip. Only the script
of a venv that may be moved (uv's `--relocatable`) tells its Python by where the script lies, which `realpath` knows.

What an entrypoint or BASH_ENV sets, the first process has, and what `docker exec` begins has not. `/proc/1/environ`
would tell only where the first process is process 1 and was begun with all of it: not with `docker run --init` or
`--pid host`, not with an entrypoint such as tini, nor where bash itself stays; and root there may not read it of
another user. So each life of a container begins with writing its environment down, for its user alone: what
Docker's own record on the host has anyway is now also in the container, and goes with it.
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

ENVIRONMENT = "/var/tmp/raycluster.environment"  # noqa: S108 - every image lets everybody write to it
USER = "RAYCLUSTER_USER"
WRITE = (
    f'(umask 077; {USER}="$EUID ${{GROUPS[*]}}" cat /proc/self/environ >{ENVIRONMENT}.new'
    f" && mv -f {ENVIRONMENT}.new {ENVIRONMENT}) || [ -e {ENVIRONMENT} ] || exit; "
)
"""For the bash that a container begins with: writes its environment and user down, for what comes later.

A first life that cannot ends: nothing else could ever be begun there.
"""

_READ = rf"""unset BASH_ENV
for ((_try = 0; ; _try++)); do
    [ ! -e {ENVIRONMENT} ] || break
    [ "$_try" -lt 600 ] || {{
        echo "within a minute nothing has written {ENVIRONMENT}: does the image's entrypoint begin our command?" >&2
        exit 125
    }}
    sleep 0.1
done
while IFS= read -r -d '' _each; do
    case $_each in
        {USER}=*) _user=(${{_each#*=}}) ;;
        *) export "$_each" ;;
    esac
done 2>/dev/null <{ENVIRONMENT}
[ "$_user" ] || {{ echo "{ENVIRONMENT} cannot be read by user $EUID" >&2; exit 125; }}
cd "$PWD" || exit
set -- "$0" "$@"
set -- /bin/sh -c "$_text" "$@"
if [ "$EUID" != "$_user" ]; then
    command -v setpriv >/dev/null || {{
        echo "the image's entrypoint goes on as user $_user; what comes later cannot, without setpriv there" >&2
        exit 125
    }}
    _groups="${{_user[*]:1}}"
    set -- setpriv --reuid "$_user" --regid "${{_user[1]}}" --groups "${{_groups// /,}}" -- "$@"
fi
exec "$@"
"""
"""For bash. An entrypoint may go on as another user (gosu, su-exec): what comes later does so too."""


def entered(text: str) -> str:
    """The shell text, run with the environment and user of the container's first process; BASH_ENV is not read anew."""
    code = f"_text={shlex.quote(text)}\n{_READ}"
    return f'BASH_ENV= exec bash -c {shlex.quote(code)} "$0" "$@"'
