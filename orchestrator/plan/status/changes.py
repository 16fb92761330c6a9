"""What happened to a cluster between two sights of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.model.cluster import Role
from orchestrator.plan.facts.host import Container, RayTable, RayTrouble
from orchestrator.plan.status.health import HostHealth, Verdict
from orchestrator.plan.status.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class HealthEvent:
    """What happened, to a host or, where that is empty, to the cluster; `verdict`: its verdict since."""

    host: str
    text: str
    verdict: Verdict


def events(before: ClusterSnapshot, after: ClusterSnapshot) -> tuple[HealthEvent, ...]:
    """What happened to each host, to Ray on the head, and to the verdict."""
    hosts = tuple(
        HealthEvent(now.name, text, now.verdict)
        for was, now in zip(before.health.hosts, after.health.hosts, strict=True)
        for text in _of_host(was, now, before, after)
    )
    was, now = before.health.verdict, after.health.verdict
    model = tuple(HealthEvent("", text, now) for text in _model(before, after))
    return (*hosts, *model) if was is now else (*hosts, *model, HealthEvent("", f"is {now}", now))


def _model(before: ClusterSnapshot, after: ClusterSnapshot) -> Iterator[str]:
    was, now = before.health.model, after.health.model
    if was and not now:
        yield f"model {was.model} is served no more"
    elif now and (was is None or (was.model, was.answers, was.lives) != (now.model, now.answers, now.lives)):
        yield f"model {now.model} {'answers' if now.answers else f'does not answer: {now.trouble}'}"


def _of_host(
    was: HostHealth, now: HostHealth, before: ClusterSnapshot, after: ClusterSnapshot
) -> tuple[str, ...]:
    told = (
        *_contact(was, now),
        *_container(before.containers.get(now.name), after.containers.get(now.name), now, before),
        *_ray(now, before, after),
        *_gcs(now, before, after),
    )
    return told or _otherwise(was, now, before, after)


def _contact(was: HostHealth, now: HostHealth) -> Iterator[str]:
    if was.verdict is not Verdict.UNKNOWN and now.verdict is Verdict.UNKNOWN:
        yield f"lost: {now.trouble}"
    if was.verdict is Verdict.UNKNOWN and now.verdict is not Verdict.UNKNOWN:
        yield "can be asked again"


def _container(
    was: Container | None, now: Container | None, host: HostHealth, before: ClusterSnapshot
) -> Iterator[str]:
    if host.name not in before.containers or was == now:
        return
    if now is None:
        yield "its container was removed"
    elif was is None or was.id != now.id:
        yield f"its container was {'replaced' if was else 'made'}{_state(now)}"
    elif was.running and not now.running:
        yield f"its container {now.ended}"
    elif now.running and was.started != now.started:
        again = f", {now.restarts} times in all" if now.restarts > 1 else ""
        yield f"its container was restarted{again}" if was.running else "its container runs again"
    elif was.status != now.status:
        yield f"its container is {now.status}"


def _state(container: Container) -> str:
    return "" if container.running else f", and {container.ended}"


def _ray(host: HostHealth, before: ClusterSnapshot, after: ClusterSnapshot) -> Iterator[str]:
    table = after.table
    if not isinstance(before.table, RayTable) or not isinstance(table, RayTable):
        return
    was = {node.started for node in before.alive(host.name)}
    now = {node.started: node for node in after.alive(host.name)}
    if now.keys() - was:
        yield "joined Ray"
    elif was - now.keys() and not now:
        death = table.death(host.ip or "")
        yield f"Ray has lost it{': ' + repr(death) if death else ''}"


def _gcs(host: HostHealth, before: ClusterSnapshot, after: ClusterSnapshot) -> Iterator[str]:
    if host.name != after.cluster.head.name:
        return
    if isinstance(after.table, RayTrouble) and isinstance(before.table, RayTable):
        yield f"Ray on it gives no answer: {after.table.text}"
    if isinstance(after.table, RayTable) and not isinstance(before.table, RayTable):
        yield "Ray on it answers"


def _otherwise(
    was: HostHealth, now: HostHealth, before: ClusterSnapshot, after: ClusterSnapshot
) -> tuple[str, ...]:
    """What none of the above has told. A worker that nobody can be asked about has nothing to do with it."""
    asked = all(isinstance(each.table, RayTable) for each in (before, after))
    if was.verdict is now.verdict or not (asked or now.role is Role.HEAD):
        return ()
    return (f"is {now.verdict}{': ' + now.trouble if now.trouble else ''}",)
