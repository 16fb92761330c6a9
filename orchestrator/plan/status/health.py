"""Health of a cluster: four facts for each host, and one verdict."""

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Accelerator, Cluster, Engine, Node, Role
from orchestrator.plan import devices, engine
from orchestrator.plan.engine.ray import Table
from orchestrator.plan.facts.containers import (
    container_of,
    ip_of,
    orphan_containers,
    paused,
    ray_table,
    running_container,
    unlisted_addresses,
)
from orchestrator.plan.facts.endings import how_it_ended
from orchestrator.plan.facts.host import Facts, HostFacts, RayTable, Unreachable, answered
from orchestrator.plan.lock import Holder
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving import health as serving
from orchestrator.plan.serving.health import ModelHealth
from orchestrator.plan.serving.servers import servers


class Verdict(StrEnum):
    """Verdict on a host or on the whole cluster."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class HostHealth:
    """One host. `container`, `ray`, `joined` and `gpus` are the four facts; None: could not be learned, or no Ray.

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
    accelerator: Accelerator = Accelerator.NVIDIA
    uptime: float | None = None
    restarts: int | None = None
    image: str | None = None
    trouble: str = ""
    fix: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the hosts above: how many, of these healthy and in Ray; their GPUs in Ray, and those that there should be."""

    hosts: int = 0
    healthy: int = 0
    joined: int = 0
    gpus: int = 0
    gpus_expected: int = 0


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """The cluster: a verdict, its hosts, and what belongs to none of them. `run`: who works on it now."""

    cluster: str
    verdict: Verdict
    hosts: tuple[HostHealth, ...]
    notes: tuple[str, ...] = ()
    ray_version: str | None = None
    models: tuple[ModelHealth, ...] = ()
    engine: Engine = Engine.RAY
    totals: Totals = Totals()
    run: Holder | None = None


def assess(cluster: Cluster, facts: Facts, only: frozenset[str] | None = None) -> ClusterHealth:
    """The health that the facts show; of some hosts only, what belongs to none of them is left out.

    While a run works on the cluster, nothing is advised where it may be about to mend what is wrong.
    """
    health, head = _assess(cluster, facts, only), facts.get(cluster.head.name)
    if not isinstance(head, HostFacts) or not head.holder:
        return health
    hosts = tuple(host if host.verdict is Verdict.UNKNOWN else replace(host, fix="") for host in health.hosts)
    models = tuple(replace(each, fix="") for each in health.models)
    return replace(health, hosts=hosts, models=models, run=head.holder)


def _assess(cluster: Cluster, facts: Facts, only: frozenset[str] | None) -> ClusterHealth:
    table = ray_table(cluster, facts)
    nodes = [node for node in cluster.nodes if only is None or node.name in only]
    hosts = tuple(_host(cluster, node, facts[node.name], table) for node in nodes)
    if only is not None:
        return ClusterHealth(
            cluster.name, _verdict(hosts, (), ()), hosts, engine=cluster.engine, totals=_totals(hosts)
        )
    notes = tuple(_notes(cluster, facts))
    version = table.version if isinstance(table, RayTable) else None
    of = {node.name: node.accelerator for node in cluster.nodes}
    models = tuple(
        serving.assess(each, facts, of.get(each.host, cluster.head.accelerator))
        for each in servers(facts).values()
    )
    verdict = _verdict(hosts, notes, models)
    return ClusterHealth(cluster.name, verdict, hosts, notes, version, models, cluster.engine, _totals(hosts))


def _totals(hosts: tuple[HostHealth, ...]) -> Totals:
    return Totals(
        len(hosts),
        sum(host.verdict is Verdict.HEALTHY for host in hosts),
        sum(host.joined is True for host in hosts),
        sum(host.gpus or 0 for host in hosts),
        sum(host.gpus_expected or 0 for host in hosts),
    )


def _verdict(
    hosts: tuple[HostHealth, ...], notes: tuple[str, ...], models: tuple[ModelHealth, ...]
) -> Verdict:
    first, verdicts = hosts[0], {host.verdict for host in hosts}
    if first.role is Role.HEAD and first.verdict is Verdict.UNKNOWN:
        return Verdict.UNKNOWN
    if verdicts <= {Verdict.DOWN, Verdict.UNKNOWN} and not notes:
        return Verdict.UNKNOWN if Verdict.UNKNOWN in verdicts else Verdict.DOWN
    whole = verdicts == {Verdict.HEALTHY} and not notes
    return Verdict.HEALTHY if whole and all(each.answers for each in models) else Verdict.DEGRADED


def _host(cluster: Cluster, node: Node, facts: HostFacts | Unreachable, table: Table) -> HostHealth:
    here = answered(facts)
    if isinstance(here, Problem):
        unknown = HostHealth(node.name, node.role, node.ip, Verdict.UNKNOWN)
        return replace(unknown, trouble=here.text, fix=here.fix, detail=here.detail)
    container = container_of(cluster, node, here)
    if container is None:
        name = cluster.container(node)
        foreign = f"a container named {name} is there that is not this cluster's" if here.named(name) else ""
        down = HostHealth(node.name, node.role, ip_of(node, here), Verdict.DOWN)
        return replace(down, container="missing", ray=False, joined=False, trouble=foreign)
    member, runs = engine.of(cluster).member(node, here, container, table), container.running
    stopped = paused(node, container)
    ended = stopped or (Problem("") if runs else how_it_ended(here, container))
    return HostHealth(
        name=node.name,
        role=node.role,
        ip=ip_of(node, here),
        verdict=Verdict.HEALTHY
        if member.sound and not stopped
        else Verdict.DEGRADED
        if runs
        else Verdict.DOWN,
        container=container.status
        if runs or container.end_is_unknown
        else f"{container.status} ({container.exit_code})",
        ray=member.ray,
        joined=member.joined,
        accelerator=node.accelerator,
        gpus=member.gpus,
        gpus_expected=devices.expected(node, here),
        uptime=here.now - container.started if runs else None,
        restarts=container.restarts,
        image=container.image,
        trouble=ended.text or member.trouble,
        fix=ended.fix or member.fix,
    )


def _notes(cluster: Cluster, facts: Facts) -> Iterator[str]:
    """What belongs to no host: strangers, and supervisors that give no answer, which may serve something or nothing."""
    for host, container in orphan_containers(cluster, facts):
        yield f"{host} also runs {container.name} of this cluster, which is not in the inventory"
    for ip in unlisted_addresses(cluster, facts):
        yield f"Ray lists a node at {ip} that is not in the inventory"
    for node in cluster.nodes:
        here = facts[node.name]
        if isinstance(here, HostFacts) and here.unheard and running_container(cluster, node, here):
            yield f"what {node.name} serves is not known: {here.unheard}"
