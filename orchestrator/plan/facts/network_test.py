"""Network test: an all-reduce across all hosts, then pairs of them; who measures with whom, and what they reported.

What NCCL's own lines (NCCL_DEBUG=INFO) say of the transport is from
https://github.com/NVIDIA/nccl/blob/master/src/transport/net.cc: each connection between hosts is a line that ends in
`via NET/<network>/<card>`, with `/GDRDMA` where the card reads the GPU's memory itself. Plugins bring networks of their
own; all but `Socket` are there to avoid TCP. RCCL has the same lines.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import IntEnum
from itertools import combinations
from typing import Any

from orchestrator.frozen import dataclass

EACH_WITH_EACH = 16
"""Hosts up to which every pair is measured."""
DISTANCES = (1, 2, 4)
"""Of more hosts, each is measured with those that stand so far from it in the inventory, on either side."""

TCP, RDMA, DIRECT = "TCP", "RDMA", "RDMA, GPUDirect"
WORST_FIRST = (TCP, RDMA, DIRECT, "")
VIA = re.compile(r"\] via NET/([^/]+)/\d+(?:\(\d+\))?(/GDRDMA)?")
USING = re.compile(r"Using network (.+?)()\s*$")

DISABLED = "NCCL_IB_DISABLE is set: take it out of `env`, or of the image"
NO_VERBS = "the image lacks RDMA's libraries: add libibverbs1 and ibverbs-providers to it"
NO_DEVICE = "NCCL finds no RDMA device that is up: `ibv_devinfo` on the host should say PORT_ACTIVE"
NO_REASON = "`ibv_devinfo` on the host should say PORT_ACTIVE; NCCL_IB_HCA names the device to use"
REASONS = {
    r"NCCL_IB_DISABLE set by environment to [^0]": DISABLED,
    r"NCCL_NET set by environment to Socket": "NCCL_NET is Socket: take it out of `env`, or of the image",
    r"Failed to open libibverbs": NO_VERBS,
    r"NET/IB : No device found": NO_DEVICE,
}


class Stage(IntEnum):
    """How far a rank has come."""

    STARTING = 0
    READY = 1
    JOINED = 2
    REACHED = 3
    REDUCED = 4
    DONE = 5


@dataclass(frozen=True, slots=True)
class AllReduce:
    """All hosts summing a buffer of `bytes` in `seconds`. `right`: each sum; `latency`: seconds for one number."""

    right: bool
    bytes: int
    seconds: float
    latency: float

    @property
    def bandwidth(self) -> float:
        """Bits a second: of the buffer, as NCCL's tests have it under "algbw", not of what went over the wire."""
        return 8 * self.bytes / self.seconds


@dataclass(frozen=True, slots=True)
class Pair:
    """Two hosts with each other. `there`, `back`: bits a second; `latency`: seconds one way; `over`: as `transport`."""

    first: str
    second: str
    there: float
    back: float
    latency: float
    over: str

    @property
    def slower(self) -> float:
        """Bits a second, in the worse direction."""
        return min(self.there, self.back)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A failure of a rank, and with whom; `lost`: who did not answer it any more; `log`: NCCL's warnings."""

    during: str
    partner: str
    why: str
    lost: tuple[str, ...]
    log: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rank:
    """What one host's rank has reported so far. `closed`: whom it did not reach; `ended`: why it is no more."""

    stage: Stage = Stage.STARTING
    gpu: str = ""
    backend: str = ""
    no_torch: str = ""
    closed: tuple[str, ...] = ()
    reduced: AllReduce | None = None
    pairs: tuple[Pair, ...] = ()
    ways: tuple[str, ...] = ()
    trouble: Trouble | None = None
    ended: str = ""

    @property
    def bad(self) -> str:
        """Why nothing more can come of it, in few words; empty as long as something can."""
        closed = f"does not reach {', '.join(self.closed)}" if self.closed else ""
        trouble = self.trouble.why if self.trouble else ""
        return self.no_torch or closed or trouble or self.ended

    @property
    def over(self) -> str:
        """The transport that its all-reduce took."""
        return transport(self.backend, self.ways)


@dataclass(frozen=True, slots=True)
class Network:
    """Measurements between the hosts. `backend`: nccl or gloo; `over`: as `transport`."""

    backend: str
    all_reduce: AllReduce
    over: str
    pairs: tuple[Pair, ...]


def partners(count: int) -> tuple[tuple[int, ...], ...]:
    """For each rank, with whom it measures one after the other: in rounds, so that nobody waits for long."""
    ranks, rounds = range(count), list[dict[int, int]]()
    some = ((rank, (rank + distance) % count) for distance in DISTANCES for rank in ranks)
    for one, other in combinations(ranks, 2) if count <= EACH_WITH_EACH else some:
        free = next((each for each in rounds if one not in each and other not in each), None)
        if free is None:
            rounds.append(free := {})
        free |= {one: other, other: one}
    return tuple(tuple(each[rank] for each in rounds if rank in each) for rank in ranks)


def parse_rank(hosts: tuple[str, ...], own: str, lines: Iterable[str], ended: str = "") -> Rank:
    """A host's rank from the lines that it printed; `hosts` in the order of their ranks. Other lines are greetings."""
    rank = Rank(ended=ended)
    for line in lines:
        try:
            rank = replace(rank, **_changes(rank, json.loads(line), hosts, own))
        except (ValueError, TypeError, LookupError):
            continue
    return rank


def _changes(rank: Rank, line: Mapping[str, Any], hosts: tuple[str, ...], own: str) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    match line["what"]:
        case "no-torch":
            changes = {"no_torch": str(line["why"])}
        case "ready":
            changes = {"stage": Stage.READY, "gpu": str(line["gpu"])}
        case "joined":
            changes = {"stage": Stage.JOINED}
        case "reached":
            changes = {"stage": Stage.REACHED, "closed": tuple(hosts[each] for each in line["closed"])}
        case "all-reduce":
            seconds, latency = _numbers(line, "seconds", "latency")
            reduced = AllReduce(line["right"] is True, int(line["bytes"]), seconds, latency)
            ways = tuple(map(str, line["log"]))
            changes = {
                "stage": Stage.REDUCED,
                "reduced": reduced,
                "backend": str(line["backend"]),
                "ways": ways,
            }
        case "pair":
            there, back, latency = _numbers(line, "there", "back", "latency")
            over = transport(rank.backend, map(str, line["log"])) or rank.over
            pair = Pair(own, hosts[line["partner"]], 8 * there, 8 * back, latency, over)
            changes = {"pairs": (*rank.pairs, pair)}
        case "done":
            changes = {"stage": Stage.DONE}
        case "failed":
            partner = "" if line["partner"] is None else hosts[line["partner"]]
            lost, log = tuple(hosts[each] for each in line["lost"]), tuple(map(str, line["log"]))
            changes = {"trouble": Trouble(str(line["during"]), partner, str(line["why"]), lost, log)}
    return changes


def _numbers(line: Mapping[str, Any], *keys: str) -> tuple[float, ...]:
    """Those that can be measured; JSON allows others."""
    numbers = tuple(float(line[key]) for key in keys)
    if not all(0 < number < math.inf for number in numbers):
        raise ValueError(line)
    return numbers


def transport(backend: str, lines: Iterable[str]) -> str:
    """TCP, RDMA or DIRECT: the worst that was taken; else the network that NCCL has chosen, or empty."""
    if backend == "gloo":  # which knows nothing else
        return TCP
    lines = tuple(lines)
    for pattern in (VIA, USING):
        found = [each for line in lines if (each := pattern.search(line))]
        kinds = {TCP if each[1] == "Socket" else DIRECT if each[2] else RDMA for each in found}
        if kinds:
            return min(kinds, key=WORST_FIRST.index)
    return ""


def no_rdma(lines: Iterable[str]) -> str:
    """Why NCCL took TCP, as a line that mends it."""
    text = "\n".join(lines)
    return next((fix for pattern, fix in REASONS.items() if re.search(pattern, text)), NO_REASON)


def network(ranks: Mapping[str, Rank]) -> Network | None:
    """What all ranks have measured together; None where they never came so far."""
    reduced = [(rank, rank.reduced) for rank in ranks.values() if rank.reduced]
    if not reduced:
        return None
    order = list(ranks)
    done = replace(reduced[0][1], right=all(each.right for _, each in reduced))
    pairs = (pair for rank in ranks.values() for pair in rank.pairs)
    return Network(
        reduced[0][0].backend,
        done,
        min((rank.over for rank, _ in reduced), key=WORST_FIRST.index),
        tuple(sorted(pairs, key=lambda pair: (order.index(pair.first), order.index(pair.second)))),
    )
