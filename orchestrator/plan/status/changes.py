"""Changes of a cluster between two snapshots."""

from collections.abc import Iterator

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Role
from orchestrator.plan.facts.host import Container, RayTable, RayTrouble
from orchestrator.plan.serving.health import ModelHealth
from orchestrator.plan.status.health import HostHealth, Verdict
from orchestrator.plan.status.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class HealthEvent:
    """What happened, to a host or, where that is empty, to the cluster; `verdict`: its verdict since."""

    host: str
    text: str
    verdict: Verdict


def events(before: ClusterSnapshot, after: ClusterSnapshot) -> tuple[HealthEvent, ...]:
    """What happened to each host, to Ray on the head, to the model, and to the verdict."""
    pairs = zip(before.health.hosts, after.health.hosts, strict=True)
    hosts = (
        HealthEvent(now.name, text, now.verdict)
        for was, now in pairs
        for text in _host(was, now, before, after)
    )
    verdict = after.health.verdict
    cluster = [*_model(before.health.model, after.health.model)]
    if before.health.verdict is not verdict:
        cluster.append(f"is {verdict}")
    return (*hosts, *(HealthEvent("", text, verdict) for text in cluster))


def _model(was: ModelHealth | None, now: ModelHealth | None) -> Iterator[str]:
    if was and not now:
        yield f"model {was.model} is served no more"
    elif now and (was is None or (was.model, was.answers, was.lives) != (now.model, now.answers, now.lives)):
        yield f"model {now.model} {'answers' if now.answers else f'does not answer: {now.trouble}'}"


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
        yield f"Ray on it gives no answer: {table.text}"
    elif is_head and isinstance(table, RayTable):
        yield "Ray on it answers"
