"""Runs a rank of the deep check on every host, and hears how they fare with each other."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import docker, engine
from orchestrator.plan.command import Command
from orchestrator.plan.facts import network_test
from orchestrator.plan.facts.address import places
from orchestrator.plan.facts.host import Facts, HostFacts
from orchestrator.plan.facts.network_test import Rank, Stage
from orchestrator.remote.execute.events import HostSeen, LookBegan, Tell
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe.probe_containers import ProbeContainers
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Failure, Output

TICK = 0.2

TITLE = "Measure the network"
DOING = {
    Stage.STARTING: "imports torch",
    Stage.READY: "waits for the others",
    Stage.REACHED: "all-reduce",
    Stage.REDUCED: "measures in pairs",
}


def measure(cluster: Cluster, facts: Facts, fleet: Fleet, tell: Tell, cancel: Event) -> Mapping[str, Rank]:
    """What the rank of each host tells, until all are through or one is lost. Every host has a place here."""
    commands = _commands(cluster, facts)
    with _running(commands, fleet, tell) as ranks:
        if not all(_all_come_to(stage, ranks, cancel, fleet.timeouts) for stage in limits(fleet.timeouts)):
            _hear_the_others(ranks, cancel, fleet.timeouts)
        return {host: each.told() for host, each in ranks.items()}


def limits(timeouts: Timeouts) -> dict[Stage, float]:
    """The seconds that all ranks have from one stage to the next."""
    return {
        Stage.READY: timeouts.rank_start,
        Stage.REACHED: timeouts.rank_meet,
        Stage.DONE: timeouts.rank_run,
    }


def longest(timeouts: Timeouts) -> float:
    """The seconds that a rank may take: more than are ever waited for."""
    return sum(limits(timeouts).values()) + 2 * timeouts.rank_grace


def _commands(cluster: Cluster, facts: Facts) -> dict[str, Command]:
    where, partners = places(cluster, facts), network_test.partners(len(cluster.nodes))
    head = where[cluster.head.name].ip
    port = engine.rendezvous(cluster, _held(facts[cluster.head.name]))

    def command(rank: int, node: Node) -> Command:
        place = where[node.name]
        words = (rank, len(cluster.nodes), place.ip, head, port, *partners[rank])
        return docker.collective(cluster, node, place, tuple(map(str, words)))

    return {node.name: command(rank, node) for rank, node in enumerate(cluster.nodes)}


def _held(facts: object) -> frozenset[int]:
    listeners = facts.listeners if isinstance(facts, HostFacts) else None
    return frozenset(each.port for each in listeners or ())


@contextmanager
def _running(commands: Mapping[str, Command], fleet: Fleet, tell: Tell) -> "Iterator[dict[str, _Running]]":
    """A container on each host, for as long as this lasts."""
    hosts = tuple(commands)
    tell(LookBegan(hosts, TITLE, DOING[Stage.STARTING]))
    with ProbeContainers(fleet.timeouts.probe_parting) as brief:
        ranks = {host: _Running(host, hosts, tell, brief.over) for host in hosts}
        for host, rank in ranks.items():
            brief.start(fleet[host], commands[host], rank.hear, rank.end, longest(fleet.timeouts))
        yield ranks


def _all_come_to(stage: Stage, ranks: "Mapping[str, _Running]", cancel: Event, timeouts: Timeouts) -> bool:
    """Whether every rank comes so far in time, and none of them fails before."""
    until = time.monotonic() + limits(timeouts)[stage]
    while time.monotonic() < until and not cancel.is_set():
        told = [each.told() for each in ranks.values()]
        if any(rank.bad for rank in told):
            return False
        if all(rank.stage >= stage for rank in told):
            return True
        cancel.wait(TICK)
    return False


def _hear_the_others(ranks: "Mapping[str, _Running]", cancel: Event, timeouts: Timeouts) -> None:
    until = time.monotonic() + timeouts.rank_grace
    while time.monotonic() < until and not all(each.told().bad for each in ranks.values()):
        if cancel.wait(TICK):
            return


class _Running:
    """A host's rank: what it has said so far, and how it ended."""

    def __init__(self, host: str, hosts: tuple[str, ...], tell: Tell, over: Event) -> None:
        self._host, self._hosts, self._tell, self._over = host, hosts, tell, over
        self._lines: list[str] = []
        self._ended = ""

    def told(self) -> Rank:
        return network_test.heard(self._hosts, self._host, tuple(self._lines), self._ended)

    def hear(self, line: str) -> None:
        self._lines.append(line)
        if not self._over.is_set():
            self._show()

    def end(self, ended: Output | Failure) -> None:
        if not self._over.is_set():
            self._ended = _words(ended)
            self._show()

    def _show(self) -> None:
        rank = self.told()
        if rank.bad or rank.stage is Stage.DONE:
            self._tell(HostSeen(self._host, rank.bad.partition("\n")[0], "measured"))
        elif rank.stage in DOING:
            self._tell(LookBegan((self._host,), TITLE, DOING[rank.stage]))


def _words(ended: Output | Failure) -> str:
    if isinstance(ended, Failure):
        return ended.message
    return ended.stderr.strip() or f"exit code {ended.exit_code}"
