"""Lines that read a node's container's log, and files of logs inside it."""

from orchestrator import payload
from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan.command import Command
from orchestrator.plan.docker.inside import inside, python
from orchestrator.plan.lock import SILENCE_SECONDS
from orchestrator.plan.scripts import for_docker, program, scripted

FIND = for_docker(r"""
mine="label=raycluster.cluster=$2"
id=$(timeout 20 $docker ps --all --quiet --no-trunc --filter "$mine" --filter "name=^$3\$") || exit
printf '\036%s\n' "$id"
[ "$id" ] || exit 0
shown='{{.State.Status}} {{.State.ExitCode}} {{.State.StartedAt}}'
timeout 20 $docker container inspect --format "$shown" $id && date +%s.%N
""")

LOGS = for_docker(r"""
shift
exec $docker logs --timestamps "$@" 2>&1
""")

FOLLOW_LOGS = for_docker(r"""
silence=$2
shift 2
$docker logs --follow --timestamps "$@" 2>&1 &
log=$!
listen() {
    while read -r -t "$silence"; do :; done
    kill "$log" || sudo -n kill "$log"
} 2>/dev/null
listen <&0 &
wait "$log"
code=$?
kill "$!" 2>/dev/null
exit "$code"
""")
"""Ends with the container's log, with standard input, or when nothing was read from it for `$2` seconds. Needs
bash, for `read -t`. What `sudo -n docker` has started is root's: where sudo allows nothing but Docker, that one
ends with the next line of the log, which nobody is there to read.
"""

RAY_LOGS = "/tmp/ray/session_latest/logs"  # noqa: S108 - Ray's choice
SERVER_LOGS = payload.FOLDER

ALL = "all"
"""Docker's word for every line there is; else a number."""


def find(cluster: Cluster, node: Node) -> Command:
    """The node's container, whatever its state; `logs.lines.parse_container` reads it."""
    return scripted(FIND, "find", node, cluster.name, cluster.container(node))


def logs(node: Node, container: str, tail: str, since: str) -> Command:
    """Both streams of a container, each line with its time. `since`: as Docker takes it, or empty."""
    return scripted(LOGS, "logs", node, *_wanted(container, tail, since))


def follow_logs(node: Node, container: str, tail: str, since: str) -> Command:
    """The same and what comes, until the container ends or nobody listens any more."""
    words = (str(SILENCE_SECONDS), *_wanted(container, tail, since))
    return scripted(FOLLOW_LOGS, "follow-logs", node, *words, interpreter="bash")


def file_logs(node: Node, container: str, folder: str, tail: str, *follow: str) -> Command:
    """The lines of the logs in a folder, RAY_LOGS or SERVER_LOGS; `logs.lines.FileLog` reads it."""
    words = python("-c", program("tail_files"), folder, tail, *follow)
    return inside(node, container, words, "--interactive")


def follow_file_logs(
    node: Node, container: str, folder: str, tail: str, positions: tuple[str, ...]
) -> Command:
    """The same and what comes, until nobody listens. `positions`: where to go on, in which file."""
    return file_logs(node, container, folder, tail, str(SILENCE_SECONDS), *positions)


def _wanted(container: str, tail: str, since: str) -> tuple[str, ...]:
    return ("--tail", tail, *(("--since", since) if since else ()), container)
