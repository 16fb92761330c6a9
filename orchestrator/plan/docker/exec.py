"""Lines that run something in a container, and those for what a person wants to run there."""

from dataclasses import replace

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import scripts
from orchestrator.plan.command import Command
from orchestrator.plan.facts.sections import RECORD
from orchestrator.plan.scripts import scripted


def inside(node: Node, container: str, words: tuple[str, ...], *options: str) -> Command:
    """Runs the words in a container."""
    return Command((*node.docker.command, "exec", *options, container, *words))


def container_state(cluster: Cluster, node: Node) -> Command:
    """RECORD and the state of the node's container, nothing where there is none; fails where Docker itself does."""
    ours = ("--filter", f"label=raycluster.cluster={cluster.name}")
    named = ("--filter", f"name=^{cluster.container(node)}$")
    shown = ("--format", f"{RECORD}{{{{.State}}}}")
    return Command((*node.docker.command, "ps", "--all", *ours, *named, *shown))


def execute(cluster: Cluster, node: Node, words: tuple[str, ...], mark: str, *, stdin: bool) -> Command:
    """Runs the words in the node's container, `mark` (NAME=VALUE) in their environment."""
    options = ("--interactive",) if stdin else ()
    return inside(node, cluster.container(node), words, *options, "--env", mark)


def end_marked(cluster: Cluster, node: Node, mark: str, grace: str) -> Command:
    """Ends what `execute` has started with that mark; fails where something is left. `grace`: as END_MARKED's."""
    words = (cluster.container(node), scripts.END_MARKED, grace)
    return replace(scripted(scripts.END_IN_CONTAINER, "end-exec", node, *words), stdin=(f"{mark}\n",))


def shell(cluster: Cluster, node: Node) -> Command:
    """A shell in the node's container, on the terminal that this runs on."""
    return scripted(scripts.SHELL, "shell", node, cluster.name, cluster.container(node))
