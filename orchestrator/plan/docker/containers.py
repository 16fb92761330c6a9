"""Lines about containers that are there: their state, their log, their end."""

from orchestrator.model.cluster import Cluster, Node
from orchestrator.payload import program
from orchestrator.plan import scripts
from orchestrator.plan.command import Command
from orchestrator.plan.docker.run import STOP_SECONDS
from orchestrator.plan.facts.host import Container
from orchestrator.plan.ray import commands as ray
from orchestrator.plan.scripts import scripted

REMOVE_SECONDS = 2.0 * STOP_SECONDS
"""How long a container's graceful end and removal may take."""


def remove(cluster: Cluster, node: Node) -> Command:
    """Stops this cluster's containers on the host in good order, and removes them."""
    return scripted(scripts.REMOVE, "remove", node, cluster.name)


def remove_one(node: Node, container: Container) -> Command:
    """Stops one container in good order, and removes it."""
    return scripted(scripts.REMOVE_ONE, "remove-one", node, container.id)


def remove_by_hand(node: Node, container: Container) -> Command:
    """The same at once, as a person would type it on the host."""
    return Command((*node.docker.command, "rm", "--force", container.name))


def list_by_hand(cluster: Cluster, node: Node) -> Command:
    """All of the cluster's containers on the host, as a person would type it there."""
    label = f"label=raycluster.cluster={cluster.name}"
    return Command((*node.docker.command, "ps", "--all", "--filter", label))


def discard(cluster: Cluster, node: Node) -> Command:
    """Kills and removes the node's container: one that is of no use has nothing to finish."""
    return scripted(scripts.DISCARD, "discard", node, cluster.name, cluster.container(node))


def discard_all(cluster: Cluster, node: Node) -> Command:
    """Kills and removes this cluster's containers on the host, whatever their names."""
    return scripted(scripts.DISCARD, "discard", node, cluster.name, "")


def absent(cluster: Cluster, node: Node) -> Command:
    """Succeeds when none of this cluster's containers is on the host."""
    return scripted(scripts.ABSENT, "absent", node, cluster.name)


def last_words(cluster: Cluster, node: Node) -> Command:
    """The end of the container's log, both streams."""
    return scripted(scripts.LAST_WORDS, "last-words", node, cluster.container(node))


def state(cluster: Cluster, node: Node) -> Command:
    """The container's `State` and count of restarts, as JSON."""
    shown = '{"state":{{json .State}},"restarts":{{.RestartCount}}}'
    argv = ("container", "inspect", "--format", shown, cluster.container(node))
    return Command((*node.docker.command, *argv))


def listening(cluster: Cluster, node: Node, ip: str) -> Command:
    """Succeeds when `ip` answers on the GCS port; else prints the container's `State`, as `state` does."""
    return scripted(scripts.LISTENING, "listening", node, ip, str(cluster.ray.port), cluster.container(node))


def follow_nodes(cluster: Cluster, node: Node, ip: str, seconds: float) -> Command:
    """Tells changes of Ray's node table from inside the head's container, while standard input is open."""
    inside = ("python3", "-c", program("ray_nodes"), ray.address(ip, cluster.ray.port), f"{seconds:g}")
    return Command((*node.docker.command, "exec", "--interactive", cluster.container(node), *inside))


def watch_nodes(cluster: Cluster, node: Node, ip: str) -> Command:
    """As `follow_nodes`, at a slower pace and without end, with each node's resources."""
    inside = ("python3", "-c", program("ray_nodes"), "watch", ray.address(ip, cluster.ray.port))
    return Command((*node.docker.command, "exec", "--interactive", cluster.container(node), *inside))
