"""What the facts say of the cluster: four facts for each host, and one verdict."""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.model.cluster import Cluster, Node, Role
from orchestrator.plan.facts import (
    Container,
    DockerTrouble,
    Facts,
    HostFacts,
    RayNode,
    RayTable,
    RayTrouble,
    Silent,
)
from orchestrator.plan.found import ip_of, outside, own, ray_table, strays
from orchestrator.plan.hints import FIREWALL, docker_fix
from orchestrator.plan.ray import expected_gpus
from orchestrator.plan.serving import health as serving
from orchestrator.plan.serving.health import ModelHealth


class Verdict(StrEnum):
    """What can be said of a host or of the whole cluster."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class HostHealth:
    """One host. `container`, `ray`, `joined` and `gpus` are the four facts; None: could not be learned.

    `uptime` is in seconds; `trouble` says what is wrong, `detail` what was said meanwhile, `fix` what to do.
    """

    name: str
    role: Role
    ip: str | None
    verdict: Verdict
    container: str | None = None
    ray: bool | None = None
    joined: bool | None = None
    gpus: int | None = None
    gpus_expected: int | None = None
    uptime: float | None = None
    restarts: int | None = None
    image: str | None = None
    trouble: str = ""
    fix: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """The cluster: a verdict, its hosts, and what belongs to none of them."""

    cluster: str
    verdict: Verdict
    hosts: tuple[HostHealth, ...]
    notes: tuple[str, ...] = ()
    ray_version: str | None = None
    model: ModelHealth | None = None


def assess(cluster: Cluster, facts: Facts) -> ClusterHealth:
    """Judges what was seen."""
    table = ray_table(cluster, facts)
    hosts = tuple(_host(cluster, node, facts[node.name], table) for node in cluster.nodes)
    notes = _strangers(cluster, facts)
    version = table.version if isinstance(table, RayTable) else None
    head = facts[cluster.head.name]
    model = serving.assess(head.served if isinstance(head, HostFacts) else None)
    return ClusterHealth(cluster.name, _verdict(hosts, notes, model), hosts, notes, version, model)


def _verdict(hosts: tuple[HostHealth, ...], notes: tuple[str, ...], model: ModelHealth | None) -> Verdict:
    head, verdicts = hosts[0], {host.verdict for host in hosts}
    if head.verdict is Verdict.UNKNOWN:
        return Verdict.UNKNOWN
    if verdicts <= {Verdict.DOWN, Verdict.UNKNOWN} and not notes:
        return Verdict.UNKNOWN if Verdict.UNKNOWN in verdicts else Verdict.DOWN
    whole = verdicts == {Verdict.HEALTHY} and not notes
    return Verdict.HEALTHY if whole and (model is None or model.answers) else Verdict.DEGRADED


def _host(
    cluster: Cluster, node: Node, facts: HostFacts | Silent, table: RayTable | RayTrouble | None
) -> HostHealth:
    if isinstance(facts, Silent):
        return _unknown(node, facts.why, facts.fix, facts.detail)
    if isinstance(facts.docker, DockerTrouble):
        return _unknown(node, facts.docker.text, docker_fix(facts.docker))
    container = own(cluster, node, facts)
    if container is None:
        return _absent(cluster, node, facts)
    return _present(node, facts, container, table)


def _unknown(node: Node, trouble: str, fix: str, detail: str = "") -> HostHealth:
    return HostHealth(node.name, node.role, node.ip, Verdict.UNKNOWN, trouble=trouble, fix=fix, detail=detail)


def _absent(cluster: Cluster, node: Node, facts: HostFacts) -> HostHealth:
    name = cluster.container(node)
    foreign = f"a container named {name} is there that is not this cluster's" if facts.named(name) else ""
    return HostHealth(
        node.name,
        node.role,
        ip_of(node, facts),
        Verdict.DOWN,
        container="missing",
        ray=False,
        joined=False,
        trouble=foreign,
    )


def _present(
    node: Node, facts: HostFacts, container: Container, table: RayTable | RayTrouble | None
) -> HostHealth:
    ip, expected = ip_of(node, facts), expected_gpus(node, facts)
    listed = (
        table.alive(ip, container.started)
        if isinstance(table, RayTable) and ip and container.running
        else None
    )
    ray = _runs_ray(facts, container)
    sound = listed is not None and not listed.out_of_reach and listed.gpus >= expected
    good = sound and ray is not False
    return HostHealth(
        name=node.name,
        role=node.role,
        ip=ip,
        verdict=Verdict.HEALTHY if good else Verdict.DEGRADED if container.running else Verdict.DOWN,
        container=container.status if container.running else f"{container.status} ({container.exit_code})",
        ray=ray,
        joined=listed is not None if isinstance(table, RayTable) or not container.running else None,
        gpus=listed.gpus if listed else None,
        gpus_expected=expected,
        uptime=facts.now - container.started if container.running else None,
        restarts=container.restarts,
        image=container.image,
        trouble=_trouble(node, facts, container, table, listed),
        fix=FIREWALL if listed and listed.out_of_reach else "",
    )


def _runs_ray(facts: HostFacts, container: Container) -> bool | None:
    if not container.running:
        return False
    return "raylet" in facts.processes if facts.processes else None


def _trouble(
    node: Node,
    facts: HostFacts,
    container: Container,
    table: RayTable | RayTrouble | None,
    listed: RayNode | None,
) -> str:
    if not container.running:
        ago = f", {age(facts.now - container.finished)} ago" if container.finished else ""
        return f"its container {container.ended}{ago}"
    if listed and _runs_ray(facts, container) is not False:
        expected = expected_gpus(node, facts)
        few = f"Ray sees {listed.gpus} of its {expected} GPUs" if listed.gpus < expected else ""
        return listed.out_of_reach or few
    return _unlisted(node, facts, container, table)


def _unlisted(node: Node, facts: HostFacts, container: Container, table: RayTable | RayTrouble | None) -> str:
    since = age(facts.now - container.started)
    if _runs_ray(facts, container) is False:
        return f"its container has run for {since}, but no Ray runs in it"
    if isinstance(table, RayTrouble):
        return "Ray on the head gives no answer: " + table.text
    if table is None:
        return "its container runs, but there is no head to ask whether it has joined"
    death = table.death(ip_of(node, facts) or "")
    return f"up for {since} but not joined{': Ray says ' + repr(death) if death else ''}"


def _strangers(cluster: Cluster, facts: Facts) -> tuple[str, ...]:
    return (
        *(
            f"{host} also runs {container.name} of this cluster, which is not in the inventory"
            for host, container in strays(cluster, facts)
        ),
        *(f"Ray lists a node at {ip} that is not in the inventory" for ip in outside(cluster, facts)),
    )


def age(seconds: float) -> str:
    """A span as people say it: 42 s, 7 min, 3 h, 12 d."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} d"
