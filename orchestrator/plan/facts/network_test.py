"""An all-reduce across all hosts, then pairs of them: who measures with whom, and what the ranks have told."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import combinations
from typing import Any

from orchestrator.plan.facts import nccl

EACH_WITH_EACH = 16
"""Hosts up to which every pair is measured."""
DISTANCES = (1, 2, 4)
"""Of more hosts, each is measured with those that stand so far from it in the inventory, on either side."""


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
    """Two hosts with each other. `there`, `back`: bits a second; `latency`: seconds one way; `over`: as `nccl.way`."""

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
    """What a rank failed at, and with whom; `lost`: who did not answer it any more; `log`: NCCL's warnings."""

    during: str
    partner: str
    why: str
    lost: tuple[str, ...]
    log: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rank:
    """What one host's rank has told so far. `closed`: whom it did not reach; `ended`: why it is no more."""

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


@dataclass(frozen=True, slots=True)
class Network:
    """What was measured between the hosts. `backend`: nccl or gloo; `over`: as `nccl.way`."""

    backend: str
    all_reduce: AllReduce
    over: str
    pairs: tuple[Pair, ...]


def partners(count: int) -> tuple[tuple[int, ...], ...]:
    """For each rank, with whom it measures one after the other: in rounds, so that nobody waits for long."""
    rounds: list[dict[int, int]] = []
    for one, other in _pairs(count):
        free = next((each for each in rounds if one not in each and other not in each), None)
        if free is None:
            rounds.append(free := {})
        free |= {one: other, other: one}
    return tuple(tuple(each[rank] for each in rounds if rank in each) for rank in range(count))


def _pairs(count: int) -> Iterator[tuple[int, int]]:
    if count <= EACH_WITH_EACH:
        return combinations(range(count), 2)
    return ((rank, (rank + distance) % count) for distance in DISTANCES for rank in range(count))


def heard(hosts: tuple[str, ...], own: str, lines: Iterable[str], ended: str = "") -> Rank:
    """What the lines of a host's rank come to; `hosts` in the order of their ranks. Other lines are greetings."""
    rank = Rank(ended=ended)
    for line in lines:
        try:
            rank = _taken(rank, json.loads(line), hosts, own)
        except (ValueError, TypeError, LookupError):
            continue
    return rank


def _taken(rank: Rank, told: Mapping[str, Any], hosts: tuple[str, ...], own: str) -> Rank:
    changes: dict[str, Any] = {}
    match told["what"]:
        case "no-torch":
            changes = {"no_torch": str(told["why"])}
        case "ready":
            changes = {"stage": Stage.READY, "gpu": str(told["gpu"])}
        case "joined":
            changes = {"stage": Stage.JOINED}
        case "reached":
            changes = {"stage": Stage.REACHED, "closed": _named(hosts, told["closed"])}
        case "all-reduce":
            changes = {"stage": Stage.REDUCED, **_reduced(told)}
        case "pair":
            changes = {"pairs": (*rank.pairs, _pair(rank, told, own, hosts[told["partner"]]))}
        case "done":
            changes = {"stage": Stage.DONE}
        case "failed":
            changes = {"trouble": _trouble(told, hosts)}
    return replace(rank, **changes)


def _reduced(told: Mapping[str, Any]) -> dict[str, Any]:
    numbers = _number(told["seconds"]), _number(told["latency"])
    done = AllReduce(told["right"] is True, int(told["bytes"]), *numbers)
    return {"reduced": done, "backend": str(told["backend"]), "ways": tuple(map(str, told["log"]))}


def _pair(rank: Rank, told: Mapping[str, Any], own: str, other: str) -> Pair:
    there, back, latency = (_number(told[what]) for what in ("there", "back", "latency"))
    over = over_what(rank.backend, tuple(map(str, told["log"]))) or over_what(rank.backend, rank.ways)
    return Pair(own, other, 8 * there, 8 * back, latency, over)


def _number(told: Any) -> float:
    """One that can be measured; JSON allows others."""
    if not 0 < (number := float(told)) < math.inf:
        raise ValueError(told)
    return number


def _trouble(told: Mapping[str, Any], hosts: tuple[str, ...]) -> Trouble:
    partner = "" if told["partner"] is None else hosts[told["partner"]]
    log = tuple(map(str, told["log"]))
    return Trouble(str(told["during"]), partner, str(told["why"]), _named(hosts, told["lost"]), log)


def _named(hosts: tuple[str, ...], ranks: Iterable[int]) -> tuple[str, ...]:
    return tuple(hosts[rank] for rank in ranks)


def over_what(backend: str, ways: tuple[str, ...]) -> str:
    """TCP or RDMA, as `nccl.way` says it; gloo knows only TCP."""
    return nccl.TCP if backend == "gloo" else nccl.way(ways)


def network(ranks: Mapping[str, Rank]) -> Network | None:
    """What all ranks have measured together; None where they never came so far."""
    reduced = [(rank, rank.reduced) for rank in ranks.values() if rank.reduced]
    if not reduced:
        return None
    backend, told = reduced[0][0].backend, reduced[0][1]
    over = {over_what(rank.backend, rank.ways) for rank, _ in reduced}
    slowest = next(kind for kind in (nccl.TCP, nccl.RDMA, nccl.DIRECT, "") if kind in over)
    done = replace(told, right=all(each.right for _, each in reduced))
    return Network(backend, done, slowest, _in_order(ranks))


def _in_order(ranks: Mapping[str, Rank]) -> tuple[Pair, ...]:
    hosts = list(ranks)
    pairs = (pair for rank in ranks.values() for pair in rank.pairs)
    return tuple(sorted(pairs, key=lambda pair: (hosts.index(pair.first), hosts.index(pair.second))))
