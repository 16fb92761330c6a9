"""A person's own command on hosts: in the container, or outside of it."""

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import docker, scripts
from orchestrator.plan.command import Command, Script
from orchestrator.plan.facts.host import runs
from orchestrator.plan.facts.sections import RECORD
from orchestrator.plan.problem import Problem
from orchestrator.plan.remedies import docker_problem
from orchestrator.plan.ssh_command import ssh
from orchestrator.plan.typed import ours

GRACE = "50"
"""Tenths of a second from the request to end to the kill."""

LOGIN = Command(("sh", "-c", 'cd && exec "${SHELL:-sh}" -l'))
"""What a person gets who logs in."""


@dataclass(frozen=True, slots=True)
class Exec:
    """The command on one host. `look`: what is asked before it; `end`: what ends it, should we leave earlier.

    `on_host`: not in a container, so that what it leaves running there is still heard.
    """

    host: str
    look: Command | None
    command: Command
    end: Command
    on_host: bool = False


def plan_exec(
    cluster: Cluster, nodes: tuple[Node, ...], words: tuple[str, ...], run: str, *, on_host: bool, stdin: bool
) -> tuple[Exec, ...]:
    """The same command on each node. `run`: a word that no other run has; its processes are found by it."""
    mark = f"RAYCLUSTER_EXEC={run}"
    if on_host:
        return tuple(_on_host(node, words, mark) for node in nodes)
    return tuple(_in_container(cluster, node, words, mark, stdin=stdin) for node in nodes)


def _on_host(node: Node, words: tuple[str, ...], mark: str) -> Exec:
    command = Script("exec", scripts.RUN_MARKED).command(mark, *words)
    end = Script("end-exec", scripts.END_MARKED).command(GRACE, stdin=(f"{mark}\n",))
    return Exec(node.name, None, command, end, on_host=True)


def _in_container(cluster: Cluster, node: Node, words: tuple[str, ...], mark: str, *, stdin: bool) -> Exec:
    return Exec(
        node.name,
        docker.container_state(cluster, node),
        docker.execute(cluster, node, words, mark, stdin=stdin),
        docker.end_marked(cluster, node, mark, GRACE),
    )


def refusal(exit_code: int, stdout: str, stderr: str) -> Problem | None:
    """Why the command cannot run in the host's container, from the answer to `look`."""
    if exit_code:
        fix = docker_problem(exit_code, stderr).fix
        return Problem("Docker there does not tell of its containers", fix, stderr.strip())
    state = stdout.partition(RECORD)[2].strip()
    if not state:
        return Problem("no container of this cluster is there", ours("up"))
    if not runs(state):
        fix = "" if "paused" in state.lower() else ours("up")  # which would leave it so
        return Problem(f"its container is not running: {state}", fix)
    return None


def plan_shell(cluster: Cluster, node: Node, up: str, *, on_host: bool) -> Command:
    """What is run on the laptop, in our place, to have a shell on the node. `up`: the line that starts a container."""
    inside = None if on_host else docker.shell(cluster, node, up)
    if node.is_local:
        return inside or LOGIN
    return ssh(node, "-t", remote=inside)
