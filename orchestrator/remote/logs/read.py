"""Reads the logs of hosts, once."""

from collections.abc import Mapping
from threading import Event

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import docker
from orchestrator.plan.logs import lines
from orchestrator.plan.logs.lines import Line, Log, LogContainer
from orchestrator.plan.remedies import docker_problem, hint
from orchestrator.plan.typed import ours
from orchestrator.remote.execute.events import Tell
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe.hosts import ask_all
from orchestrator.remote.timeouts import DEFAULT
from orchestrator.remote.transport import Failure, FailureKind, Output, Transport

Wanted = Mapping[Node, Log]


def read(
    cluster: Cluster, wanted: Wanted, fleet: Fleet, tell: Tell, cancel: Event
) -> dict[str, tuple[Line, ...] | Failure]:
    """The lines of every host's log, or why there are none."""

    def ask(node: Node) -> tuple[Line, ...] | Failure:
        return _read(cluster, node, wanted[node], fleet[node.name], cancel)

    return ask_all(wanted, ask, tell, "Read the logs", "asked for its log")


def _read(
    cluster: Cluster, node: Node, log: Log, via: Transport, cancel: Event
) -> tuple[Line, ...] | Failure:
    found = find(cluster, node, via, cancel)
    if isinstance(found, Failure):
        return found
    if not found.id:
        return Failure(FailureKind.EXIT, "no container of this cluster is there", fix=ours("up"))
    if log.needs_running and not found.running:
        return Failure(FailureKind.EXIT, f"Ray's files are out of reach: its container {found.ended}")
    got = via.run(log.read(found), timeout=DEFAULT.read, cancel=cancel)
    if isinstance(got, Failure):
        return got
    received = got.stdout.split("\n")
    return (
        unreadable(got, received)
        if got.exit_code
        else tuple(line for each in received if (line := log.receive(each)))
    )


def find(cluster: Cluster, node: Node, via: Transport, cancel: Event) -> LogContainer | Failure:
    """The node's container as it is now."""
    got = via.run(docker.find(cluster, node), timeout=DEFAULT.find, cancel=cancel)
    if isinstance(got, Failure):
        return got
    if got.exit_code:
        words = got.stderr.strip()
        fix = docker_problem(got.exit_code, words).fix
        return Failure(FailureKind.EXIT, "Docker does not answer there", got.exit_code, words, fix)
    return lines.parse_container(got.stdout)


def unreadable(ended: Output, lines: list[str]) -> Failure:
    """For a log that Docker would not give. Its words may stand among the lines, after the last of them."""
    words = ended.stderr.strip() or next((line for line in reversed(lines) if line), "")
    text = f"its log cannot be read: exit code {ended.exit_code}"
    return Failure(FailureKind.EXIT, text, detail=words, fix=hint(words))
