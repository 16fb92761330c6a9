"""What `up` decides for each host: leave it out, keep its container, or start one; and why."""

from collections.abc import Mapping

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.secret import Secret
from orchestrator.plan import devices, docker, engine
from orchestrator.plan.checks import Finding, check_reachable
from orchestrator.plan.docker import ContainerSpec
from orchestrator.plan.facts.address import NodeAddress, addresses, node_address
from orchestrator.plan.facts.containers import container_of, paused, ray_table
from orchestrator.plan.facts.derived_image import outdated
from orchestrator.plan.facts.endings import how_it_ended
from orchestrator.plan.facts.host import Container, Facts, HostFacts
from orchestrator.plan.problem import Problem
from orchestrator.plan.typed import ours


@dataclass(frozen=True, slots=True)
class Keep:
    """The host's container is as the inventory has it, and Ray lists it."""

    place: NodeAddress
    gpus: int
    spec: ContainerSpec
    restarts: int


@dataclass(frozen=True, slots=True)
class Start:
    """The host gets a new container. `replaces`: an old one of this cluster's goes first."""

    place: NodeAddress
    gpus: int
    spec: ContainerSpec
    why: str
    replaces: bool
    restarts: int = 0


Decision = Problem | Keep | Start


def reconcile(
    cluster: Cluster,
    facts: Facts,
    obstacles: Mapping[str, Finding],
    secrets: tuple[Secret, ...],
    only: frozenset[str] | None,
) -> dict[str, Decision]:
    """A decision for each host of `only` (all if None), and for the head in any case.

    `obstacles`: by host, what keeps a new container from being of use.
    """
    name, head_ip = cluster.head.name, addresses(cluster, facts).get(cluster.head.name, "")
    decided = {
        node.name: _decide(cluster, facts, node, head_ip, secrets, obstacles)
        for node in cluster.nodes
        if only is None or node.name in only or node is cluster.head
    }
    head = decided[name]
    if not isinstance(head, Start):
        return decided
    if only is not None and name not in only:
        why = f"is left out, but is needed first: {head.why}"
        return decided | {name: Problem(why, ours("up"))}
    for host, worker in decided.items():
        # A worker of the old head would find nobody it knows: Ray ends it a minute later.
        if isinstance(worker, Keep) and cluster.engine.has_ray:
            why = "the head gets a new container"
            decided[host] = Start(worker.place, worker.gpus, worker.spec, why, replaces=True)
    return decided


def _decide(
    cluster: Cluster,
    facts: Facts,
    node: Node,
    head_ip: str,
    secrets: tuple[Secret, ...],
    obstacles: Mapping[str, Finding],
) -> Decision:
    here = facts[node.name]
    for finding in check_reachable(node, here):
        return finding.problem
    assert isinstance(here, HostFacts)  # noqa: S101 - a host that is not was found not to be reached
    place, container = node_address(node, here), container_of(cluster, node, here)
    assert isinstance(place, NodeAddress)  # noqa: S101 - nor does one without a place get so far
    spec, gpus = docker.container_spec(cluster, node, place, head_ip, secrets), devices.expected(node, here)
    if container is None:
        why: str | Problem = "no container yet"
    else:
        old = paused(node, container) or _outdated(here, container, spec) or outdated(cluster, node, facts)
        table = ray_table(cluster, facts)
        why = old or engine.of(cluster).reason_to_replace(cluster, node, here, container, table)
    if isinstance(why, Problem):
        return why
    if container and not why:
        return Keep(place, gpus, spec, container.restarts)
    if obstacle := obstacles.get(node.name):
        return obstacle.problem
    return Start(place, gpus, spec, why, replaces=container is not None)


def _outdated(facts: HostFacts, container: Container, wanted: ContainerSpec) -> str:
    """Why the container itself is not the wanted one any more."""
    if not container.running:
        return how_it_ended(facts, container).text
    if container.spec != wanted.hash:
        what = _difference(container, wanted)
        return f"the inventory has changed: {what}" if what else "another version of raycluster has made it"
    if facts.image_id and container.image_id != facts.image_id:
        return f"{container.image} is another image on this host now"
    return ""


def _difference(container: Container, wanted: ContainerSpec) -> str:
    """What of it is another, in a few words; empty where only what is ours is."""
    if container.image != wanted.image:
        return f"image {container.image} → {wanted.image}"
    if not container.command.endswith(wanted.command):
        was, will = (each.partition("exec ")[2] for each in (container.command, wanted.command))
        if was == will:
            return ""
        return f"command «{was}» → «{will}»"
    names = sorted(pair.partition("=")[0] for pair in wanted.env - container.env)
    return f"env {', '.join(names)}" if names else "its docker options"
