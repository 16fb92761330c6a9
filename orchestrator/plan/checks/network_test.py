"""Findings of the network test: what an all-reduce and pairs of hosts show, and why a test came to nothing."""

import re
from collections.abc import Iterable, Iterator, Mapping
from math import ceil

from orchestrator.model.cluster import Accelerator, Cluster, Node
from orchestrator.plan.checks.finding import (
    Evidence,
    Finding,
    Findings,
    Level,
    bandwidth,
    delay,
    failure,
    ok,
    quoting,
    warning,
)
from orchestrator.plan.checks.firewall import accept_rule
from orchestrator.plan.facts.address import addresses, places
from orchestrator.plan.facts.host import Facts, HostFacts, Unreachable
from orchestrator.plan.facts.network_test import TCP, Network, Pair, Rank, Stage, Trouble, network, no_rdma
from orchestrator.plan.facts.probe import Trial
from orchestrator.plan.remedies import LAST_WITH_RAY
from orchestrator.plan.typed import change, host_command, ours, there

TOPIC = "all-reduce"
GROUND = ("ssh", "host", "docker", "address", "network", "image")
"""Topics in which a failure leaves nothing to measure."""

SLOW = 0.5
"""Of what the better quarter of pairs carries: where one of three hosts is slow, so is the median."""

CUDA = (Accelerator.NVIDIA, Accelerator.AMD)
NO_P2P = change("env.NCCL_P2P_DISABLE", "'1'")
CORRUPT = (
    f"something corrupts data: try {NO_P2P}; {host_command('nvidia-smi', '-q', '-d', 'ECC')}; other memory"
)
CABLE = "look at its card and cable: ethtool IFACE (speed, errors), and at the switch's port"
DOING = {
    "join": "finding the others",
    "reach": "trying connections",
    "connect": "joining torch.distributed",
    "all-reduce": "the all-reduce",
}
LATE = {
    Stage.STARTING: "its torch was not imported in time",
    Stage.READY: "its rank found no way to the head's",
    Stage.JOINED: "its rank waited for the others, and they did not come",
    Stage.REACHED: "its all-reduce did not end in time",
    Stage.REDUCED: "its pairs were not measured in time",
}
NO_TORCH = f"vLLM cannot run in it either. Take an image with vLLM: {change('image', LAST_WITH_RAY)}"
ENDED = f"out of memory, or stopped by somebody? {there('sudo dmesg | tail')} may tell"
LOST = "a cable, a switch, or the host itself: look there, then check again"
AT_REST = f"{ours('check', '--deep')} again, once the hosts are at rest"
MEMORY = "something else holds the memory of its first GPU: check before a model is served"


def not_measurable(cluster: Cluster, findings: Iterable[Finding], evidence: Evidence) -> Finding | None:
    """Why no all-reduce is tried, where it would come to nothing."""
    head = cluster.head.name
    if not cluster.workers:
        return ok(head, TOPIC, "not measured: a single host has no network to another")
    bad = {each.host: None for each in findings if each.level is Level.FAILURE and each.topic in GROUND}
    if bad:
        return warning(head, TOPIC, "not measured, for it needs all hosts", f"fix {', '.join(bad)} first")
    trials = evidence.trials
    if absent := [node.name for node in cluster.nodes if not isinstance(trials.get(node.name), Trial)]:
        told = f"not measured, for it needs the image on all hosts, and {', '.join(absent)} lack it"
        return warning(head, TOPIC, told, ours("pull"))
    return None


def check_network(cluster: Cluster, facts: Facts, ranks: Mapping[str, Rank]) -> Findings:
    """Failures of the ranks, then what they have measured."""
    yield from _failures(cluster, facts, ranks)
    if done := network(ranks):
        by = f"{'NCCL' if done.backend == 'nccl' else done.backend}{done.over and f' over {done.over}'}"
        for node in cluster.nodes:
            rank = ranks[node.name]
            if rank.reduced and rank.reduced.right:
                speed = f"{bandwidth(done.all_reduce.bandwidth)}, latency {delay(done.all_reduce.latency)}"
                yield ok(node.name, TOPIC, f"sum right; {speed} ({by})")
            elif rank.reduced:
                yield failure(node.name, TOPIC, f"the sum that came to it is wrong ({by})", CORRUPT)
            yield from _gpus(node, rank, done)
            yield from _rdma(node.name, facts[node.name], rank, done)
        yield from slow_hosts(done.pairs)


def _gpus(node: Node, rank: Rank, done: Network) -> Findings:
    if done.backend == "nccl":
        yield ok(node.name, "gpus", f"measured by its first one alone, {rank.gpu}")
    elif node.accelerator in CUDA and not rank.gpu:
        told = "the image's torch sees no GPU, so all was measured by gloo, as vLLM would not"
        yield warning(node.name, "gpus", told, "use an image whose torch is built for this driver")


def _rdma(host: str, here: HostFacts | Unreachable, rank: Rank, done: Network) -> Findings:
    if not (isinstance(here, HostFacts) and here.infiniband):
        return
    if done.backend != "nccl":
        yield ok(host, "rdma", "gloo knows only TCP: whether NCCL takes RDMA was not seen")
    elif rank.over == TCP:
        yield warning(host, "rdma", "has RDMA devices, but NCCL went over TCP", no_rdma(rank.ways))
    elif rank.over:
        yield ok(host, "rdma", f"NCCL went over {rank.over}")


def slow_hosts(pairs: tuple[Pair, ...]) -> Findings:
    """The hosts of which every pair is slow, then pairs that are slow without such a host."""

    def found(host: str, text: str, of: Iterable[Pair]) -> Finding:
        most = bandwidth(max(pair.slower for pair in of))
        better = f"the better pairs carry {bandwidth(better_quarter(pairs))}"
        return warning(host, "network", f"is slow with {text} {most}: {better}", CABLE)

    behind = {pair for pair in pairs if pair.slower < SLOW * better_quarter(pairs)}
    for host in sorted({host for pair in behind for host in (pair.first, pair.second)}):
        own = {pair for pair in pairs if host in (pair.first, pair.second)}
        if own <= behind and len(own) > 1:
            yield found(host, "every other host, at most", own)
            behind -= own
    for pair in sorted(behind, key=lambda pair: (pair.first, pair.second)):
        yield found(pair.second, f"{pair.first},", {pair})


def better_quarter(pairs: tuple[Pair, ...]) -> float:
    """What the better quarter carries, in bits a second."""
    ordered = sorted(pair.slower for pair in pairs)
    return ordered[ceil(0.75 * len(ordered)) - 1] if ordered else 0.0


def _failures(cluster: Cluster, facts: Facts, ranks: Mapping[str, Rank]) -> Findings:
    """Those of single ranks, else those that others lost, else what each failed at, else who is late."""
    alone = (*_single(ranks), *_closed(cluster, facts, ranks))
    yield from alone or tuple(_lost(ranks)) or tuple(_troubled(cluster, facts, ranks)) or _late(ranks)


def _single(ranks: Mapping[str, Rank]) -> Findings:
    for host, rank in ranks.items():
        if rank.no_torch:
            yield failure(host, "torch", f"the image's torch cannot be used: {rank.no_torch}", NO_TORCH)
        elif rank.ended:
            yield quoting(host, TOPIC, "its rank ended before the others: ", rank.ended, ENDED)


def _closed(cluster: Cluster, facts: Facts, ranks: Mapping[str, Rank]) -> Findings:
    rule = there(accept_rule(cluster.nodes, addresses(cluster, facts).values()))
    for target, sources in _by_target({host: rank.closed for host, rank in ranks.items()}).items():
        why = "not reach it at a free port, as NCCL and gloo take one: a firewall, or no route"
        yield failure(target, "network", f"{_who(sources)} {why}", rule)


def _lost(ranks: Mapping[str, Rank]) -> Findings:
    """Told of whom most have lost, where there is one: it may itself have lost all others."""
    troubles = {host: rank.trouble for host, rank in ranks.items() if rank.trouble}
    lost = _by_target({host: trouble.lost for host, trouble in troubles.items()})
    most = {target: sources for target, sources in lost.items() if 2 * len(sources) > len(ranks) - 1}
    for target, sources in (most or lost).items():
        told = f"was lost during {_doing(troubles[sources[0]])}: {_who(sources)} not reach it any more"
        yield failure(target, TOPIC, told, LOST)


def _troubled(cluster: Cluster, facts: Facts, ranks: Mapping[str, Rank]) -> Findings:
    where = places(cluster, facts)
    strays = [text for node in cluster.nodes for text in _other_interface(node, where[node.name].interface)]
    for host, rank in ranks.items():
        if trouble := rank.trouble:
            fix = MEMORY if "out of memory" in trouble.why else "; ".join(strays) or AT_REST
            # Without the places in torch's source, which fill a screen.
            words = re.sub(r"\[[^\]]*\.(cc|cpp|h):\d+\] ", "", trouble.why).strip()
            first = words.partition("\n")[0]  # below it stands where in torch, which speaks of errors, too
            detail = "\n".join(trouble.log) or (words if words != first else "")
            yield failure(host, TOPIC, f"{_doing(trouble)} failed: {first or 'it says nothing'}", fix, detail)


def _late(ranks: Mapping[str, Rank]) -> Findings:
    last = min(rank.stage for rank in ranks.values())
    for host, rank in ranks.items():
        if rank.stage is last and last is not Stage.DONE:
            yield failure(host, TOPIC, LATE[last], AT_REST)


def _other_interface(node: Node, interface: str) -> Iterator[str]:
    """Where the inventory sends the data over another interface than that of `ip`."""
    for name, value in node.env:
        chosen = name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME") and not value.startswith("^")
        if chosen and not interface.startswith(tuple(value.lstrip("=").split(","))):
            yield f"{name} is {value} on {node.name}, whose `ip` is on {interface}: take it out of `env`"


def _by_target(named: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """By each host that others name, who those are."""
    targets = dict.fromkeys(target for each in named.values() for target in each)
    return {target: [source for source, each in named.items() if target in each] for target in targets}


def _who(hosts: list[str]) -> str:
    return f"{', '.join(hosts)} {'does' if len(hosts) == 1 else 'do'}"


def _doing(trouble: Trouble) -> str:
    return DOING.get(trouble.during, f"measuring with {trouble.partner}")
