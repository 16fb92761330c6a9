"""A model by vLLM's own multi-node mode: a rank in each container, which meet at the first one's."""

import hashlib
from collections.abc import Mapping

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Accelerator, Cluster, Model, Node
from orchestrator.plan import devices
from orchestrator.plan.facts.containers import ip_of, why_not_ready
from orchestrator.plan.facts.host import Facts, HostFacts, Unreachable
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.ray.ports import EPHEMERAL
from orchestrator.plan.serving import arguments, parallelism
from orchestrator.plan.serving.arguments import BACKEND, DATA_BACKEND, Given, Option
from orchestrator.plan.serving.data_parallel import uneven
from orchestrator.plan.serving.parallelism import Parallelism
from orchestrator.plan.serving.presence import Presence
from orchestrator.plan.serving.refusals import refusal
from orchestrator.plan.serving.servers import Ledger, Server, listeners, with_args
from orchestrator.plan.serving.shares import (
    Free,
    api_port,
    chosen_hosts,
    free_devices,
    hiding,
    ports_from,
    without_sizes,
)
from orchestrator.plan.serving.sizing import sized
from orchestrator.plan.serving.spec import DEFAULT_PORT, Part, RankGroup, Serving
from orchestrator.plan.serving.state import Share
from orchestrator.plan.typed import change, where

PORTS = range(29499, 29600)
"""Where ranks meet, those of each model at others: its supervisors, its ranks, which vLLM by itself has meet at 29501,
and its data-parallel ones."""

APART = 10
"""From one model's to the next one's."""
SUPERVISORS, MASTER, DATA = 0, 2, 3
"""In a model's block of them."""


def serving(
    cluster: Cluster, facts: Facts, model: Model, held: Ledger, own: int, there: Presence
) -> Serving | tuple[HostProblem, ...]:
    room, given = _room(cluster, facts, model, held), arguments.read(model.args)
    if not isinstance(room, _Room):
        return room
    least = min(room.gpus.values())
    sizing = sized(room.gpus, given, there, room.device, every=bool(model.gpus))
    chosen = sizing.chosen
    nodes = _taking_part(tuple(node for node in cluster.nodes if node.name in room.gpus), chosen, least)
    if why := uneven(model, chosen, len(nodes)):
        return (HostProblem(nodes[0].name, why),)
    port = api_port(model, given, held, facts, nodes[0].name, own)
    if isinstance(port, Problem):
        return (HostProblem(nodes[0].name, port),)
    ports = _ports(model, chosen, nodes, {**held.ports, port: "the API"}, listeners(facts, nodes[0].name))
    if isinstance(ports, Problem):
        return (HostProblem(nodes[0].name, ports),)
    if why := _meet_elsewhere(model, nodes, facts):
        return (HostProblem(nodes[0].name, why),)
    count = min(least, max(1, chosen.ranks // len(nodes)))
    names = {node.name: free_devices(node, facts[node.name], room.counts[node.name], held) for node in nodes}
    share = Share(
        port,
        ports,
        dict.fromkeys(names, count),
        {name: every[:count] for name, every in names.items()},
    )
    ip = ip_of(nodes[0], facts[nodes[0].name]) or ""
    words = (*_words(given, chosen, nodes, ip, ports), *chosen.args)
    run = hashlib.sha256(repr((model, words, share)).encode()).hexdigest()[:12]
    parts = _parts(facts, nodes, ip, share, run, (*model.args, *words))
    return Serving(model, ip, parts, chosen.why, share, words, model.server, sizing)


def again(cluster: Cluster, facts: Facts, server: Server) -> Serving | None:
    """What is served, as it was started; None where the inventory has other hosts by now."""
    served, known = server.served, {node.name: node for node in cluster.nodes}
    if not all(host in known for host in (server.host, *served.hosts)):
        return None
    nodes = tuple(known[host] for host in served.hosts or (server.host,))
    ip = ip_of(nodes[0], facts[nodes[0].name]) or ""
    share = served.share or Share(DEFAULT_PORT)
    return Serving(
        served.model,
        ip,
        _parts(facts, nodes, ip, share, served.run, (*served.model.args, *served.words)),
        "",
        share,
        served.words,
        served.folder,
    )


TELL_GPUS = (
    f"set {where('ray.num_gpus')}, or give vLLM its --tensor-parallel-size and --pipeline-parallel-size"
)


@dataclass(frozen=True, slots=True)
class _Room:
    """The GPUs that a model may have: as many on each host. `counts`: of all that its hosts have."""

    gpus: Mapping[str, int]
    counts: Mapping[str, int]
    device: str


def _room(cluster: Cluster, facts: Facts, model: Model, held: Ledger) -> _Room | tuple[HostProblem, ...]:
    """Where there is room for a model beside the others; or why there is none."""
    hosts, given = chosen_hosts(cluster, model), arguments.read(model.args)
    first = hosts[0].name
    if why := refusal(model, ip_of(hosts[0], facts[first]) or "") or _refusal(cluster, model):
        return (HostProblem(first, why),)
    known = {node.name: _count(node, facts[node.name]) for node in hosts}
    unknown = [name for name, each in known.items() if each is None and isinstance(facts[name], HostFacts)]
    device = devices.kind(hosts[0]).device
    if unknown and not parallelism.sizes_given(given):
        problem = Problem(f"how many {device}s it has is not known", TELL_GPUS)
        return tuple(HostProblem(name, problem) for name in unknown)
    counts = {name: each or 1 for name, each in known.items()}
    others = (
        node.name
        for node in cluster.nodes
        if node not in hosts and _free(node, _count(node, facts[node.name]) or 0, held)
    )
    mine = {node.name: _free(node, counts[node.name], held) for node in hosts}
    free = Free(mine, held, device, tuple(others))
    gpus = _alike(_ready(cluster, facts, free.gpus), model.gpus) if model.gpus else _most(free.gpus)
    if not gpus:
        works = max((n for n in range(1, model.gpus) if _alike(free.gpus, n)), default=0)
        return (HostProblem(first, free.refused(model, works)),)
    says = "--gpus gives it" if model.gpus else "with as many on each host there are"
    if few := parallelism.too_many(gpus, given, says, device):
        return (HostProblem(first, Problem(few, without_sizes(model))),)
    return _Room(gpus, counts, device)


def _free(node: Node, count: int, held: Ledger) -> int:
    """How many of a host's GPUs are free; where a CPU is taken for one, nobody counts them."""
    counted = node.num_gpus or node.accelerator is not Accelerator.NONE
    return held.free(node.name, count) if counted else count


def _ready(cluster: Cluster, facts: Facts, gpus: Mapping[str, int]) -> Mapping[str, int]:
    """Of hosts among which some are chosen, those that are up."""
    up = {node.name for node in cluster.nodes if not why_not_ready(cluster, node, facts[node.name])}
    return {host: count for host, count in gpus.items() if host in up} or gpus


def _most(gpus: Mapping[str, int]) -> dict[str, int]:
    """As many on each of some hosts as give the most in all; on the fewest of them. None where none is free."""
    ways = ({host: least for host, count in gpus.items() if count >= least} for least in gpus.values())
    return max(
        (way for way in ways if sum(way.values())), key=lambda way: (sum(way.values()), -len(way)), default={}
    )


def _alike(gpus: Mapping[str, int], wanted: int) -> dict[str, int]:
    """So many in all, as many on each of the fewest hosts, those with the least to spare; none where that cannot be."""
    for hosts in range(1, len(gpus) + 1):
        each, left = divmod(wanted, hosts)
        able = sorted((host for host, count in gpus.items() if count >= each), key=gpus.__getitem__)[:hosts]
        if not left and each and len(able) == hosts:
            return {host: each for host in gpus if host in able}
    return {}


def _ports(
    model: Model,
    chosen: Parallelism,
    nodes: tuple[Node, ...],
    held: Mapping[int, str],
    listening: frozenset[int],
) -> tuple[int, ...] | Problem:
    """Of several ranks: where their supervisors meet, then they, then their data-parallel ones. `held`: by whom."""
    if len(nodes) == 1:
        return ()
    given = arguments.read(model.args)
    master, data = given.number(arguments.MASTER_PORT), given.number(arguments.DATA_PORT)
    for option, port in ((arguments.MASTER_PORT, master), (arguments.DATA_PORT, data)):
        if port in held:
            line = with_args(model, arguments.without(model.args, option))
            return Problem(f"{option.name} {port}: that port is {held[port]}'s", line)
    wanted = (SUPERVISORS, MASTER, *((DATA,) if chosen.data > 1 else ()))
    taken = {*held, *listening}
    found = ports_from(range(PORTS.start, EPHEMERAL.start, APART), wanted, taken)
    if master:
        found = (master - MASTER, master, *found[2:])
    return (*found[:2], data or found[2]) if chosen.data > 1 else found


def _meet_elsewhere(model: Model, nodes: tuple[Node, ...], facts: Facts) -> Problem | None:
    """Why ranks would not find the first one: they are told the address of another's host."""
    given = arguments.read(model.args)
    for option in (arguments.MASTER, arguments.DATA_ADDRESS):
        for node in nodes[1:]:
            here = facts[node.name]
            known = {each.ip for each in here.addresses} if isinstance(here, HostFacts) else set()
            if option in given and given.value(option) in {ip_of(node, here), *known}:
                text = f"{option.name} {given.value(option)} is {node.name}'s, and the first rank is on {nodes[0].name}"
                return Problem(text, with_args(model, arguments.without(model.args, option)))
    return None


def _words(
    given: Given, chosen: Parallelism, nodes: tuple[Node, ...], ip: str, ports: tuple[int, ...]
) -> tuple[str, ...]:
    """What every rank is told, where there are several: of a model on one host vLLM needs to be told nothing.

    Data-parallel ranks that are each on one host meet at an address of their own. With `--nnodes` vLLM 0.17.1
    (and, by their sources, 0.16 to 0.19) takes those of a model without experts for parts of one, and ends.
    """
    if len(nodes) == 1:
        return ()
    _, master, *data = ports
    each, apart = divmod(chosen.data, len(nodes))
    if apart:
        said: dict[Option, object] = {BACKEND: "mp", arguments.NODES: len(nodes), arguments.MASTER: ip}
        if master != VLLMS_OWN:
            said[arguments.MASTER_PORT] = master
    else:
        said = {BACKEND: "mp", arguments.DATA_ADDRESS: ip, arguments.DATA_LOCAL: each}
    if data:
        (said[arguments.DATA_PORT],) = data
    return tuple(
        word for option, value in said.items() if option not in given for word in (option.name, str(value))
    )


VLLMS_OWN = 29501
"""Where vLLM has its ranks meet if it is told nothing."""


def _place(given: Given, rank: int) -> tuple[str, ...]:
    """What a rank is told of where it stands, by the words that all are told."""
    if arguments.NODES in given:
        return (arguments.NODE_RANK.name, str(rank))
    first = rank * given.number(arguments.DATA_LOCAL)
    return (arguments.DATA_START_RANK.name, str(first)) if rank else ()


def _parts(
    facts: Facts, nodes: tuple[Node, ...], ip: str, share: Share, run: str, told: tuple[str, ...]
) -> tuple[Part, ...]:
    seen = ((node, facts[node.name], share.devices.get(node.name, ())) for node in nodes)
    envs = [hiding(node, here, _count(node, here), chosen) for node, here, chosen in seen]
    if len(nodes) == 1:
        return (Part(nodes[0], (), envs[0]),)
    names = tuple(node.name for node in nodes)
    meet = (ip, share.ports[0] if share.ports else PORTS.start)
    given = arguments.read(told)
    return tuple(
        Part(
            node,
            (*_place(given, rank), *(("--headless",) if rank else ())),
            envs[rank],
            group=RankGroup(rank, names, meet, run),
        )
        for rank, node in enumerate(nodes)
    )


def _refusal(cluster: Cluster, model: Model) -> Problem | None:
    """What contradicts the engine, where there are several hosts."""
    if not cluster.workers:
        return None
    given = arguments.read(model.args)
    for option in (BACKEND, DATA_BACKEND):
        if given.value(option) == "ray":
            line = with_args(model, arguments.without(model.args, option))
            fix = f"{line}, or {change('engine', 'ray')}"
            return Problem(f"{option.name} ray: this cluster has no Ray", fix)
    return None


def _taking_part(nodes: tuple[Node, ...], chosen: Parallelism, least: int) -> tuple[Node, ...]:
    """The fewest hosts that have GPUs for all ranks, as many on each; all of them where nothing fits."""
    world, within = chosen.ranks, chosen.within_data

    def fits(hosts: int) -> bool:
        each, left = divmod(world, hosts)
        return not left and each <= least and (each % within == 0 or within % each == 0)

    return nodes[: next(filter(fits, range(1, len(nodes) + 1)), len(nodes))]


def _count(node: Node, here: HostFacts | Unreachable) -> int | None:
    """The GPUs that vLLM may use there, a CPU for one; None where nobody can tell."""
    if node.num_gpus or node.accelerator is Accelerator.NONE:
        return node.num_gpus or 1
    return None if isinstance(here, Unreachable) else devices.known(node, here)
