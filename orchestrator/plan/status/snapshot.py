"""Snapshots of a cluster that is watched, what changed between two, and parsers of what its hosts report meanwhile."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import field

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Role
from orchestrator.plan.facts.containers import ip_of, ray_table
from orchestrator.plan.facts.host import Container, Facts, RayNode, RayTable, RayTrouble, Unreachable
from orchestrator.plan.serving.health import ModelHealth
from orchestrator.plan.status.health import ClusterHealth, HostHealth, Verdict, assess


@dataclass(frozen=True, slots=True)
class HostPending(Unreachable):
    """A host that has not had the time to answer."""

    text: str = "it is being asked"


@dataclass(frozen=True, slots=True)
class RayPending(RayTrouble):
    """Ray on a head that has not had the time to answer."""

    text: str = "it is being asked"
    gone: bool = False


CHANGES = re.compile("create|(re)?start|died?|oom|(un)?pause|rename|destroy|remove|stop")
"""Docker's and Podman's events of a container's state. Our own inspections, and who uses `exec`, cause others.

https://docs.docker.com/reference/cli/docker/system/events/, https://docs.podman.io/en/latest/markdown/podman-events.1.html
"""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as `nvidia-smi` reports it; None: unknown. Use in percent, memory in MiB, °C, watts."""

    index: int
    use: float | None
    memory_used: float | None
    memory_total: float | None
    temperature: float | None = None
    power: float | None = None


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """A cluster at a moment, by the laptop's clock.

    `gpus`: by host, or the words of an `nvidia-smi` that has failed. `lost`: since when a host could not be
    asked. `containers`: each host's as it was seen last, be the host lost since.
    """

    cluster: Cluster
    facts: Facts
    health: ClusterHealth
    gpus: Mapping[str, tuple[Gpu, ...] | str] = field(default_factory=dict)
    lost: Mapping[str, float] = field(default_factory=dict)
    containers: Mapping[str, Container | None] = field(default_factory=dict)

    @property
    def table(self) -> RayTable | RayTrouble | None:
        return ray_table(self.cluster, self.facts)

    @property
    def pending(self) -> tuple[str, ...]:
        """The hosts that have not had the time to answer; the head's, where Ray on it has not."""
        hosts = tuple(name for name, here in self.facts.items() if isinstance(here, HostPending))
        return hosts or ((self.cluster.head.name,) if isinstance(self.table, RayPending) else ())

    @property
    def undecided(self) -> frozenset[str]:
        """The hosts that cannot be judged yet: they have not had the time to answer, or Ray about them has not."""
        head = isinstance(self.facts[self.cluster.head.name], HostPending)
        wait_for_ray = head or isinstance(self.table, RayPending)
        return frozenset(
            host.name
            for host in self.health.hosts
            if isinstance(self.facts[host.name], HostPending)
            or (wait_for_ray and host.verdict is Verdict.DEGRADED)
        )

    def alive(self, host: str) -> frozenset[RayNode]:
        """The living nodes that Ray lists at a host: two, where it has not yet missed the last one."""
        node = next(node for node in self.cluster.nodes if node.name == host)
        ip, table = ip_of(node, self.facts[host]), self.table
        nodes = table.nodes if isinstance(table, RayTable) else ()
        return frozenset(node for node in nodes if node.ip == ip and node.alive)


def snapshot(
    cluster: Cluster,
    facts: Facts,
    gpus: Mapping[str, tuple[Gpu, ...] | str],
    lost: Mapping[str, float],
    containers: Mapping[str, Container | None],
    only: frozenset[str] | None = None,
) -> ClusterSnapshot:
    """A snapshot, judged as `status` judges, of `only` these hosts where it is given."""
    health = assess(cluster, facts, only)
    judged = {host.name for host in health.hosts}
    theirs = {name: each for name, each in gpus.items() if name in judged}
    return ClusterSnapshot(cluster, facts, health, theirs, lost, containers)


def changes_container(line: str) -> bool:
    """Whether a line of Docker's or Podman's events is about a container's coming, going or state."""
    try:
        event = json.loads(line)
        return bool(CHANGES.fullmatch(str(event.get("Action") or event.get("Status") or "")))
    except (ValueError, AttributeError):
        return False


def read_gpus(lines: list[str]) -> tuple[Gpu, ...] | str:
    """The GPUs in an answer of `nvidia-smi`, or its words where it is none."""
    try:
        rows = [line.split(",") for line in lines]
        return tuple(
            Gpu(int(index), *map(_number, (use, used, total, *heat)))
            for index, use, used, total, *heat in rows
        )
    except (ValueError, TypeError):
        return " ".join(" ".join(lines).split())


def _number(column: str) -> float | None:
    """A number; None for `[N/A]` and `[Not Supported]`."""
    word = column.strip()
    return None if word.startswith("[") or word == "N/A" else float(word)


@dataclass(frozen=True, slots=True)
class HealthEvent:
    """What happened, to a host or, where that is empty, to the cluster; `verdict`: its verdict since."""

    host: str
    text: str
    verdict: Verdict


def events(before: ClusterSnapshot, after: ClusterSnapshot) -> tuple[HealthEvent, ...]:
    """What happened to each host, to Ray on the head, to the models, and to the verdict."""
    pairs = zip(before.health.hosts, after.health.hosts, strict=True)
    hosts = (
        HealthEvent(now.name, text, now.verdict)
        for was, now in pairs
        for text in _host(was, now, before, after)
    )
    verdict = after.health.verdict
    cluster = [*_models(before.health.models, after.health.models)]
    if before.health.verdict is not verdict:
        cluster.append(f"is {verdict}")
    return (*hosts, *(HealthEvent("", text, verdict) for text in cluster))


def _models(was: tuple[ModelHealth, ...], now: tuple[ModelHealth, ...]) -> Iterator[str]:
    before, after = {each.name: each for each in was}, {each.name: each for each in now}
    for name, each in before.items():
        if name not in after:
            yield f"model {each.title} is no longer served"
    for name, each in after.items():
        old = before.get(name)
        if old is None or (old.model, old.answers, old.lives) != (each.model, each.answers, each.lives):
            yield f"model {each.title} {'answers' if each.answers else f'does not answer: {each.trouble}'}"


def _host(was: HostHealth, now: HostHealth, before: ClusterSnapshot, after: ClusterSnapshot) -> Iterator[str]:
    found = []
    if was.verdict is not Verdict.UNKNOWN and now.verdict is Verdict.UNKNOWN:
        found.append(f"lost: {now.trouble}")
    if was.verdict is Verdict.UNKNOWN and now.verdict is not Verdict.UNKNOWN:
        found.append("can be asked again")
    if now.name in before.containers:
        found += _container(before.containers[now.name], after.containers.get(now.name))
    found += _ray(now, before, after)
    yield from found
    # A worker that Ray on the head cannot be asked about has nothing to do with it.
    asked = isinstance(before.table, RayTable) and isinstance(after.table, RayTable)
    if not found and was.verdict is not now.verdict and (asked or now.role is Role.HEAD):
        yield f"is {now.verdict}{': ' + now.trouble if now.trouble else ''}"


def _container(was: Container | None, now: Container | None) -> Iterator[str]:
    if was == now:
        return
    if now is None:
        yield "its container was removed"
    elif was is None or was.id != now.id:
        ended = "" if now.running else f", and {now.ended}"
        yield f"its container was {'replaced' if was else 'made'}{ended}"
    elif was.running and not now.running:
        yield f"its container {now.ended}"
    elif now.running and was.started != now.started:
        again = f", {now.restarts} times in all" if now.restarts > 1 else ""
        yield f"its container was restarted{again}" if was.running else "its container runs again"
    elif was.status != now.status:
        yield f"its container is {now.status}"


def _ray(host: HostHealth, before: ClusterSnapshot, after: ClusterSnapshot) -> Iterator[str]:
    table, is_head = after.table, host.name == after.cluster.head.name
    if isinstance(before.table, RayTable) and isinstance(table, RayTable):
        was = {node.started for node in before.alive(host.name)}
        now = {node.started for node in after.alive(host.name)}
        if now - was:
            yield "joined Ray"
        elif was and not now:
            death = table.death(host.ip or "")
            yield f"Ray has lost it{': ' + repr(death) if death else ''}"
    elif is_head and isinstance(before.table, RayTable) and isinstance(table, RayTrouble):
        yield f"Ray on it does not answer: {table.text}"
    elif is_head and isinstance(table, RayTable):
        yield "Ray on it answers"
