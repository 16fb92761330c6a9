"""What an all-reduce across all hosts, and pairs of them, show of the network between them."""

from collections.abc import Iterable, Mapping
from math import ceil

from orchestrator.model.cluster import Accelerator, Cluster
from orchestrator.plan.checks.finding import (
    Evidence,
    Finding,
    Findings,
    Level,
    bandwidth,
    delay,
    failure,
    ok,
    warning,
)
from orchestrator.plan.checks.network_failures import TOPIC, unmeasured
from orchestrator.plan.facts import nccl
from orchestrator.plan.facts.host import Facts, HostFacts
from orchestrator.plan.facts.network_test import Network, Pair, Rank, network, over_what
from orchestrator.plan.facts.probe import Trial

GROUND = ("ssh", "host", "docker", "address", "network", "image")
"""Topics in which a failure leaves nothing to measure."""

SLOW = 0.5
"""Of what the better quarter of pairs carries: where one of three hosts is slow, so is the median."""

CUDA = (Accelerator.NVIDIA, Accelerator.AMD)
CORRUPT = "something corrupts data: try `env: {NCCL_P2P_DISABLE: '1'}`; nvidia-smi -q -d ECC; other memory"
CABLE = "look at its card and cable: ethtool IFACE (speed, errors), and at the switch's port"


def hindered(cluster: Cluster, findings: Iterable[Finding], evidence: Evidence) -> Finding | None:
    """Why an all-reduce is not worth trying."""
    head = cluster.head.name
    if not cluster.workers:
        return ok(head, TOPIC, "not measured: a single host has no network to another")
    bad = {each.host: None for each in findings if each.level is Level.FAILURE and each.topic in GROUND}
    if bad:
        return warning(head, TOPIC, "not measured, for it needs all hosts", f"mend {', '.join(bad)} first")
    trials = evidence.trials
    if absent := [node.name for node in cluster.nodes if not isinstance(trials.get(node.name), Trial)]:
        told = f"not measured, for it needs the image on all hosts, and {', '.join(absent)} lack it"
        return warning(head, TOPIC, told, "raycluster pull")
    return None


def measured(cluster: Cluster, facts: Facts, ranks: Mapping[str, Rank]) -> Findings:
    """Everything that the ranks have told."""
    yield from unmeasured(cluster, facts, ranks)
    if done := network(ranks):
        yield from _summed(ranks, done)
        yield from _gpus(cluster, ranks, done)
        yield from _rdma(cluster, facts, ranks, done)
        yield from slow(done.pairs)


def _summed(ranks: Mapping[str, Rank], done: Network) -> Findings:
    told = done.all_reduce
    speed = f"{bandwidth(told.bandwidth)}, latency {delay(told.latency)}"
    for host, rank in ranks.items():
        if rank.reduced and rank.reduced.right:
            yield ok(host, TOPIC, f"sum right; {speed} ({by(done)})")
        elif rank.reduced:
            yield failure(host, TOPIC, f"the sum that came to it is wrong ({by(done)})", CORRUPT)


def by(done: Network) -> str:
    """`NCCL over RDMA`."""
    name = "NCCL" if done.backend == "nccl" else done.backend
    return f"{name} over {done.over}" if done.over else name


def _gpus(cluster: Cluster, ranks: Mapping[str, Rank], done: Network) -> Findings:
    for node in cluster.nodes:
        if done.backend == "nccl":
            yield ok(node.name, "gpus", f"measured by its first one alone, {ranks[node.name].gpu}")
        elif node.accelerator in CUDA and not ranks[node.name].gpu:
            told = "the image's torch sees no GPU, so all was measured by gloo, as vLLM would not"
            yield warning(node.name, "gpus", told, "use an image whose torch is built for this driver")


def _rdma(cluster: Cluster, facts: Facts, ranks: Mapping[str, Rank], done: Network) -> Findings:
    for node in cluster.nodes:
        here, rank = facts[node.name], ranks[node.name]
        if not (isinstance(here, HostFacts) and here.infiniband):
            continue
        over = over_what(rank.backend, rank.ways)
        if done.backend != "nccl":
            yield ok(node.name, "rdma", "gloo knows only TCP: whether NCCL takes RDMA was not seen")
        elif over == nccl.TCP:
            told = "has RDMA devices, but NCCL went over TCP"
            yield warning(node.name, "rdma", told, nccl.no_rdma(rank.ways))
        elif over:
            yield ok(node.name, "rdma", f"NCCL went over {over}")


def slow(pairs: tuple[Pair, ...]) -> Findings:
    """The hosts of which every pair is slow, then pairs that are slow without such a host."""
    behind = {pair for pair in pairs if pair.slower < SLOW * good(pairs)}
    for host in _hosts(behind):
        own = {pair for pair in pairs if host in (pair.first, pair.second)}
        if own <= behind and len(own) > 1:
            yield _slow(host, f"with every other host, at most {_most(own)}", pairs)
            behind -= own
    for pair in sorted(behind, key=lambda pair: (pair.first, pair.second)):
        yield _slow(pair.second, f"with {pair.first}, {_most({pair})}", pairs)


def _slow(host: str, told: str, pairs: tuple[Pair, ...]) -> Finding:
    return warning(host, "network", f"is slow {told}: the better pairs carry {bandwidth(good(pairs))}", CABLE)


def good(pairs: tuple[Pair, ...]) -> float:
    """What the better quarter carries, in bits a second."""
    ordered = sorted(pair.slower for pair in pairs)
    return ordered[ceil(0.75 * len(ordered)) - 1] if ordered else 0.0


def _most(pairs: Iterable[Pair]) -> str:
    return bandwidth(max(pair.slower for pair in pairs))


def _hosts(pairs: Iterable[Pair]) -> list[str]:
    return sorted({host for pair in pairs for host in (pair.first, pair.second)})
