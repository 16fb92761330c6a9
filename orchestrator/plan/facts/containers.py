"""Containers of the cluster on its hosts, and what the inventory does not have."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.model.cluster import Cluster, HostKeys, Node, Role
from orchestrator.model.inventory.addresses import is_ip
from orchestrator.plan.facts.address import node_address
from orchestrator.plan.facts.host import (
    Container,
    Facts,
    HostFacts,
    Neighbour,
    RayTable,
    RayTrouble,
    Unreachable,
    answered,
)
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.typed import host_command, ours

UP_FIRST = ours("up")


def why_unknown(cluster: Cluster, node: Node, here: HostFacts | Unreachable) -> Problem | None:
    """Why it is not known what the node serves."""
    found = answered(here)
    if isinstance(found, Problem):
        return found
    container = container_of(cluster, node, found)
    if container and (stands_still := paused(node, container)):
        return stands_still
    if found.unheard and container and container.running:
        return Problem(f"what it serves is not known: {found.unheard}", "try again in a moment")
    return None


def paused(node: Node, container: Container) -> Problem | None:
    """That somebody has paused it, and what lets it go on."""
    from orchestrator.plan import docker  # noqa: PLC0415 - its engines import this

    if container.status != "paused":
        return None
    return Problem("its container is paused", host_command(*docker.unpause(node, container.name).argv))


def untold_hosts(cluster: Cluster, facts: Facts) -> tuple[HostProblem, ...]:
    """Hosts of which it is not known what they serve, and why."""
    each = ((node.name, why_unknown(cluster, node, facts[node.name])) for node in cluster.nodes)
    return tuple(HostProblem(name, problem) for name, problem in each if problem)


def why_not_ready(cluster: Cluster, node: Node, here: HostFacts | Unreachable) -> Problem | None:
    """Why the node has no container that can serve."""
    if refusal := why_unknown(cluster, node, here):
        return refusal
    if not running_container(cluster, node, here):
        whose = "its head" if node is cluster.head else "it"
        return Problem(f"the cluster is not up: no container of {whose} runs", UP_FIRST)
    return None


def ray_table(cluster: Cluster, facts: Facts) -> RayTable | RayTrouble | None:
    """The head's node table; None where its GCS could not be asked."""
    head = facts[cluster.head.name]
    return (
        head.ray if isinstance(head, HostFacts) and running_container(cluster, cluster.head, head) else None
    )


def container_of(cluster: Cluster, node: Node, facts: HostFacts | Unreachable) -> Container | None:
    """The node's container, if it is there and ours."""
    found = facts.named(cluster.container(node)) if isinstance(facts, HostFacts) else None
    return found if found and found.cluster == cluster.name else None


def running_container(cluster: Cluster, node: Node, facts: HostFacts | Unreachable) -> Container | None:
    """The same, if it runs."""
    found = container_of(cluster, node, facts)
    return found if found and found.running else None


def ip_of(node: Node, facts: HostFacts | Unreachable) -> str | None:
    """The node's data address, as far as it is known."""
    if isinstance(facts, Unreachable):
        return node.ip
    settled = node_address(node, facts)
    return node.ip if isinstance(settled, str) else settled.ip


def neighbours(facts: Facts) -> Iterator[tuple[str, Neighbour]]:
    """Containers of other clusters, each with the host that it is on."""
    for host, here in facts.items():
        yield from ((host, each) for each in (here.neighbours if isinstance(here, HostFacts) else ()))


STRAY = "of this cluster is there, which is not in the inventory"


def orphan_containers(cluster: Cluster, facts: Facts) -> Iterator[tuple[str, Container]]:
    """Containers of this cluster that the inventory does not have, each with the host that it is on."""
    ours = {cluster.container(node) for node in cluster.nodes}
    for host, here in facts.items():
        found = here.containers if isinstance(here, HostFacts) else ()
        yield from ((host, each) for each in found if each.cluster == cluster.name and each.name not in ours)


def unlisted_addresses(cluster: Cluster, facts: Facts) -> tuple[str, ...]:
    """The addresses of living nodes that Ray lists and the inventory does not have."""
    table = ray_table(cluster, facts)
    known = {ip_of(node, facts[node.name]) for node in cluster.nodes}
    if not isinstance(table, RayTable) or None in known:  # the unknown one may be it
        return ()
    return tuple(sorted({node.ip for node in table.nodes if node.alive} - known))


def unknown_hosts(cluster: Cluster, facts: Facts) -> tuple[Node, ...]:
    """The hosts of nodes that only Ray knows, named by address, to be reached as the head is."""
    known = {name for node in cluster.nodes for name in (node.name, node.host, node.ip)}
    return tuple(
        _outsider(cluster, ip) for ip in unlisted_addresses(cluster, facts) if is_ip(ip) and ip not in known
    )


def _outsider(cluster: Cluster, ip: str) -> Node:
    """Its word comes from the head alone, so its key has to be known already."""
    ssh = replace(cluster.head.ssh, host_keys=HostKeys.STRICT)
    return replace(cluster.head, name=ip, host=ip, ip=ip, network=None, role=Role.WORKER, ssh=ssh)
