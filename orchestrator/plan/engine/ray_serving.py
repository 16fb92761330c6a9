"""A model on Ray: vLLM in one container, which has its GPUs from Ray, or those of its host without it."""

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Model, Node
from orchestrator.model.ssh_target import host_port
from orchestrator.plan import devices
from orchestrator.plan.facts.containers import UP_FIRST, ip_of, ray_table, why_not_ready
from orchestrator.plan.facts.host import Facts, RayTable
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.serving import arguments, parallelism
from orchestrator.plan.serving.arguments import BACKEND, Given
from orchestrator.plan.serving.data_parallel import Placement, placed_by_ray
from orchestrator.plan.serving.presence import Presence
from orchestrator.plan.serving.refusals import refusal
from orchestrator.plan.serving.servers import Ledger, Server, with_args
from orchestrator.plan.serving.servers import again as line_again
from orchestrator.plan.serving.shares import Free, api_port, chosen_hosts, free_devices, hiding, without_sizes
from orchestrator.plan.serving.sizing import sized
from orchestrator.plan.serving.spec import DEFAULT_PORT, Part, Serving
from orchestrator.plan.serving.state import Share
from orchestrator.plan.typed import change, ours


def serving(
    cluster: Cluster, facts: Facts, model: Model, held: Ledger, own: int, there: Presence
) -> Serving | tuple[HostProblem, ...]:
    """Each container's part in serving the model, once that runs; or why it cannot be served.

    `held`: what other servers hold; `own`: the port that one of its name has had, 0 for none; `there`:
    what hosts have told of the model.
    """
    room, given = _room(cluster, facts, model, held), arguments.read(model.args)
    if isinstance(room, HostProblem):
        return (room,)
    first, gpus, ip = room.first, room.gpus, ip_of(room.first, facts[room.first.name]) or ""
    device = devices.kind(cluster.head).device
    lacks = parallelism.too_many(gpus, given, room.says, device)
    if why := refusal(model, ip) or (Problem(lacks, without_sizes(model)) if lacks else None):
        return (HostProblem(first.name, why),)
    sizing = sized(gpus, given, there, device, every=bool(model.gpus))
    chosen = sizing.chosen
    by_ray = _by_ray(given)
    placed = placed_by_ray(model, chosen, gpus, first.name, ip) if by_ray else Placement()
    port = api_port(model, given, held, facts, first.name, own)
    for each in (placed, port):
        if isinstance(each, Problem):
            return (HostProblem(first.name, each),)
    assert isinstance(placed, Placement)  # noqa: S101 - refused above
    assert isinstance(port, int)  # noqa: S101
    backend = () if BACKEND in given else (BACKEND.name, "ray")
    share = Share(port, gpus=_taken(gpus, first, chosen.ranks))
    if clash := _clash(model, share.gpus, held, device):
        return (HostProblem(first.name, clash),)
    part, words = _part(cluster, facts, first, placed), (*backend, *chosen.args, *placed.args)
    if not by_ray:
        count, here = room.there, facts[first.name]
        own_devices = free_devices(first, here, count, held)[: chosen.ranks]
        share = replace(share, devices={first.name: own_devices})
        part = replace(part, env={**part.env, **hiding(first, here, count, own_devices)})
    return Serving(model, ip, (part,), chosen.why, share, words, model.server, sizing)


def again(cluster: Cluster, facts: Facts, server: Server) -> Serving | None:
    """What is served, as it was started; None where the inventory has other hosts by now."""
    node = next((node for node in cluster.nodes if node.name == server.host), None)
    if node is None:
        return None
    served, ip = server.served, ip_of(node, facts[node.name]) or ""
    share = served.share or Share(DEFAULT_PORT)
    parts = (_part(cluster, facts, node, Placement()),)
    return Serving(served.model, ip, parts, "", share, served.words, served.folder)


@dataclass(frozen=True, slots=True)
class _Room:
    """Where vLLM runs, and the GPUs that it may have, by host. `says`: who tells of them; `there`: all of its host."""

    first: Node
    gpus: Mapping[str, int]
    says: str
    there: int


def _room(cluster: Cluster, facts: Facts, model: Model, held: Ledger) -> _Room | HostProblem:
    """Where there is room for a model beside the others; or why there is none."""
    table, head, given = ray_table(cluster, facts), cluster.head, arguments.read(model.args)
    if why := why_not_ready(cluster, head, facts[head.name]):
        return HostProblem(head.name, why)
    if not isinstance(table, RayTable):
        return HostProblem(
            head.name, Problem("the cluster is not up: Ray on its head does not answer", UP_FIRST)
        )
    hosts = chosen_hosts(cluster, model)
    if 1 < len(hosts) < len(cluster.nodes):
        names = ", ".join(node.name for node in hosts)
        one, all_of_them = (line_again(replace(model, hosts=each)) for each in (hosts[0].name, ""))
        fix = f"{one}, or {all_of_them}; with {change('engine', 'mp')} it is on those that are named"
        return HostProblem(
            hosts[0].name, Problem(f"{names}: Ray spreads a model over hosts as it likes", fix)
        )
    of = devices.kind(head)  # vLLM wants of all hosts what it finds where it runs
    listed = _listed_gpus(cluster, facts, table, of.resource)
    may = listed if len(hosts) > 1 else {hosts[0].name: listed.get(hosts[0].name, 0)}
    others = tuple(host for host, count in listed.items() if host not in may and held.free(host, count))
    free = Free({host: held.free(host, count) for host, count in may.items()}, held, of.device, others)
    world = parallelism.ranks({each: given.number(each) for each in parallelism.KINDS})
    first = _first(hosts, free.gpus, model.gpus or (world if parallelism.sizes_given(given) else 0))
    if why := why_not_ready(cluster, first, facts[first.name]) or _unlisted(first, listed, head):
        return HostProblem(first.name, why)
    by_ray = _by_ray(given)
    gpus = _taken(free.gpus if by_ray else {first.name: free.gpus.get(first.name, 0)}, first, model.gpus)
    if sum(may.values()) and sum(gpus.values()) < (model.gpus or 1):
        return HostProblem(hosts[0].name, free.refused(model, sum(gpus.values())))
    says = "--gpus gives it" if model.gpus else "free are" if held.gpus else "Ray lists"
    if not by_ray:
        says = f"{'the head' if first is head else first.name}, where all runs without Ray, has"
    return _Room(first, gpus, says, listed.get(first.name, 0))


def _listed_gpus(cluster: Cluster, facts: Facts, table: RayTable, resource: str) -> dict[str, int]:
    """The GPUs that Ray lists, by host; a node that the inventory does not have goes by its address."""
    names = {ip_of(node, facts[node.name]): node.name for node in cluster.nodes}
    alive = {names.get(node.ip, node.ip): node.count(resource) for node in table.nodes if node.alive}
    return dict(sorted(alive.items(), key=lambda each: _order(cluster, each[0])))


def _order(cluster: Cluster, host: str) -> int:
    names = [node.name for node in cluster.nodes]
    return names.index(host) if host in names else len(names)


def _unlisted(node: Node, listed: Mapping[str, int], head: Node) -> Problem | None:
    return (
        Problem("Ray does not list it", ours("status"))
        if node is not head and node.name not in listed
        else None
    )


def _first(hosts: tuple[Node, ...], free: Mapping[str, int], wanted: int) -> Node:
    """Where vLLM runs: it wants a GPU of its own host. The head, if it has what is wanted, or else the best fit."""
    able = [node for node in hosts if free.get(node.name, 0) >= (wanted or 1)]
    if hosts[0] in able or not any(free.values()):
        return hosts[0]
    if able:
        return min(able, key=lambda node: free[node.name]) if wanted else able[0]
    return max(hosts, key=lambda node: free.get(node.name, 0))


def _taken(free: Mapping[str, int], first: Node, wanted: int) -> dict[str, int]:
    """So many of the free ones, those of the first host before others, as Ray packs them; all where none are wanted."""
    if not wanted:
        return dict(free)
    taken, left = dict[str, int](), wanted
    rest = sorted(free, key=lambda host: (host != first.name, -free[host]))
    for host in rest:
        taken[host] = min(left, free[host])
        left -= taken[host]
    return {host: taken[host] for host in free if taken[host]}


def _part(cluster: Cluster, facts: Facts, node: Node, placed: Placement) -> Part:
    """With a `RAY_ADDRESS` vLLM starts no Ray of its own."""
    gcs = (ip_of(cluster.head, facts[cluster.head.name]) or "", cluster.ray.port)
    env = {"RAY_ADDRESS": host_port(*gcs), **placed.env}
    return Part(node, (), env, after=gcs, needs=placed.needs)


def _by_ray(given: Given) -> bool:
    """Whether vLLM starts its workers by Ray, and so on all hosts."""
    return given.value(BACKEND) in ("", "ray")


def _clash(model: Model, gpus: Mapping[str, int], held: Ledger, device: str) -> Problem | None:
    """That Ray may give out GPUs which a model has without it: on the same host, or as it spreads one over several."""
    given = arguments.read(model.args)
    by_ray = _by_ray(given)
    for name, other in held.models.items():
        theirs, has = held.of(name), arguments.read(other.args)
        rays = gpus if by_ray else theirs
        if _by_ray(has) is by_ray or not gpus or not theirs or (len(rays) == 1 and not theirs & gpus.keys()):
            continue
        stop = ours("serve stop", name)
        if by_ray:
            where = f"on {', '.join(sorted(theirs))} without Ray ({BACKEND.name} {has.value(BACKEND)})"
            text = f"{name} has its {device}s {where}, which may give them to this one, too"
            return Problem(text, f"{stop} ends that one")
        text = f"{name} has its {device}s from Ray, which may give it those of this one, too"
        line = with_args(model, arguments.without(model.args, BACKEND))
        return Problem(f"{text} ({BACKEND.name} {given.value(BACKEND)})", f"{line}; or {stop} ends that one")
    return None
