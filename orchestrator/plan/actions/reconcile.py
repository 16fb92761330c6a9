"""What `up` decides for each host: leave it out, keep its container, or start one; and why."""

from collections.abc import Mapping

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.secret import Secret
from orchestrator.plan import docker, engine
from orchestrator.plan.actions.images import outdated
from orchestrator.plan.checks import Finding, check_reachable, obstacles
from orchestrator.plan.docker import ContainerSpec
from orchestrator.plan.facts.address import NodeAddress, node_address
from orchestrator.plan.facts.containers import container_of
from orchestrator.plan.facts.host import Container, Facts, HostFacts, Unreachable
from orchestrator.plan.ray.commands import expected_gpus
from orchestrator.plan.remedies import format_duration
from orchestrator.plan.steps import Rejected


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


Decision = Rejected | Keep | Start


@dataclass(frozen=True, slots=True)
class _Seen:
    """What holds for every host: the cluster, what was seen of all, and where the head is."""

    cluster: Cluster
    facts: Facts
    head_ip: str
    secrets: tuple[Secret, ...]
    obstacles: Mapping[str, Finding]
    outdated: Mapping[str, str]


def reconcile(
    cluster: Cluster, facts: Facts, secrets: tuple[Secret, ...], only: frozenset[str] | None
) -> dict[str, Decision]:
    """A decision for each host of `only` (all if None), and for the head in any case."""
    head_ip = _ip_of_head(cluster, facts)
    images = {node.name: outdated(cluster, node, facts) for node in cluster.nodes}
    seen = _Seen(cluster, facts, head_ip, secrets, obstacles(cluster, facts), images)
    head = _head(seen, facts[cluster.head.name], only)
    has_ray = engine.of(cluster).has_ray
    decided: dict[str, Decision] = {cluster.head.name: head}
    for node in cluster.workers:
        if only is None or node.name in only:
            worker = _decide(seen, node, facts[node.name])
            decided[node.name] = _with_new_head(worker) if isinstance(head, Start) and has_ray else worker
    return decided


def _head(seen: _Seen, facts: HostFacts | Unreachable, only: frozenset[str] | None) -> Decision:
    node = seen.cluster.head
    decision = _decide(seen, node, facts)
    if only is None or node.name in only or not isinstance(decision, Start):
        return decision
    return Rejected(
        node.name, f"is left out, but is needed first: {decision.why}", "let `up` include the head"
    )


def _ip_of_head(cluster: Cluster, facts: Facts) -> str:
    head = facts[cluster.head.name]
    place = node_address(cluster.head, head) if isinstance(head, HostFacts) else ""
    return place.ip if isinstance(place, NodeAddress) else ""


def _with_new_head(worker: Decision) -> Decision:
    """A worker of the old head would find nobody it knows: Ray ends it a minute later."""
    if isinstance(worker, Keep):
        return Start(worker.place, worker.gpus, worker.spec, "its head is started anew", replaces=True)
    return worker


def _decide(seen: _Seen, node: Node, facts: HostFacts | Unreachable) -> Decision:
    for finding in check_reachable(node, facts):
        return _refused(finding)
    assert isinstance(facts, HostFacts)  # noqa: S101 - a host that is not was found not to be reached
    place = node_address(node, facts)
    assert isinstance(place, NodeAddress)  # noqa: S101 - nor does one without a place get so far
    return _compare(seen, node, facts, place)


def _refused(finding: Finding) -> Rejected:
    return Rejected(finding.host, finding.text, finding.fix, finding.detail)


def _compare(seen: _Seen, node: Node, facts: HostFacts, place: NodeAddress) -> Decision:
    spec = docker.container_spec(seen.cluster, node, place, seen.head_ip, seen.secrets)
    container = container_of(seen.cluster, node, facts)
    keep = Keep(place, expected_gpus(node, facts), spec, container.restarts if container else 0)
    why = _why_not_kept(seen, node, facts, container, keep)
    if isinstance(why, Rejected) or not why:
        return why or keep
    if obstacle := seen.obstacles.get(node.name):
        return _refused(obstacle)
    return Start(place, keep.gpus, spec, why, replaces=container is not None)


def _why_not_kept(
    seen: _Seen, node: Node, facts: HostFacts, container: Container | None, keep: Keep
) -> str | Rejected:
    if container is None:
        return "has no container yet"
    old = _outdated(facts, container, keep.spec) or seen.outdated[node.name]
    return old or engine.of(seen.cluster).reason_to_replace(seen.cluster, seen.facts, node, container)


def _outdated(facts: HostFacts, container: Container, wanted: ContainerSpec) -> str:
    """Why the container itself is not the wanted one any more."""
    if not container.running:
        ago = f", {format_duration(facts.now - container.finished)} ago" if container.finished else ""
        return f"its container {container.ended}{ago}"
    if container.spec != wanted.hash:
        return f"the inventory has changed: {_difference(container, wanted)}"
    if facts.image_id and container.image_id != facts.image_id:
        return f"{container.image} is another image on this host now"
    return ""


def _difference(container: Container, wanted: ContainerSpec) -> str:
    """What of it is another, in a few words."""
    if container.image != wanted.image:
        return f"image {container.image} → {wanted.image}"
    if not container.command.endswith(wanted.command):
        was, will = (each.partition("exec ")[2] for each in (container.command, wanted.command))
        return f"command «{was}» → «{will}»"
    names = sorted(pair.partition("=")[0] for pair in wanted.env - container.env)
    return f"env {', '.join(names)}" if names else "its docker options"
