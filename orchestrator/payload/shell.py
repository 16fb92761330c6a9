r"""Shell text for containers: finds the Python that has Ray and vLLM, and becomes it.

`python3` may be another: a venv or conda whose `ray` alone is on the PATH. The first line of `ray` tells, else that of
`vllm`: a path, `env python3`, or, where the path is long, pip's and uv's `#!/bin/sh` with, below it,
`'''exec' "/path/python" "$0" "$@"` (https://github.com/pypa/distlib/blob/0.3.9/distlib/scripts.py#L159). What
is no such script, a wrapper or a binary, tells nothing.

Nothing but builtins, and `exec` at the end: no further process, no further round trip. Only the script of a venv that
may be moved (uv's `--relocatable`) tells its Python by where the script lies, which `realpath` knows.
"""

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
