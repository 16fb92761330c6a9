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
from orchestrator.remote.transport import Failure, Output

START_SECONDS = 180.0
"""For the container and for importing torch, which a cold disk may take a minute for."""
MEET_SECONDS = 30.0
RUN_SECONDS = 120.0
GRACE_SECONDS = 5.0
"""For what the others have to say of it, once one rank has failed."""
LOOK_SECONDS = 0.2
LIMITS = {Stage.READY: START_SECONDS, Stage.REACHED: MEET_SECONDS, Stage.DONE: RUN_SECONDS}
ALL_SECONDS = sum(LIMITS.values()) + 2 * GRACE_SECONDS

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
        if not all(_all_come_to(stage, ranks, cancel) for stage in LIMITS):
            _hear_the_others(ranks, cancel)
        return {host: each.told() for host, each in ranks.items()}


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
    with ProbeContainers() as brief:
        ranks = {host: _Running(host, hosts, tell, brief.over) for host in hosts}
        for host, rank in ranks.items():
            brief.start(fleet[host], commands[host], rank.hear, rank.end, ALL_SECONDS)
        yield ranks


def _all_come_to(stage: Stage, ranks: "Mapping[str, _Running]", cancel: Event) -> bool:
    """Whether every rank comes so far in time, and none of them fails before."""
    until = time.monotonic() + LIMITS[stage]
    while time.monotonic() < until and not cancel.is_set():
        told = [each.told() for each in ranks.values()]
        if any(rank.bad for rank in told):
            return False
        if all(rank.stage >= stage for rank in told):
            return True
        cancel.wait(LOOK_SECONDS)
    return False


def _hear_the_others(ranks: "Mapping[str, _Running]", cancel: Event) -> None:
    until = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < until and not all(each.told().bad for each in ranks.values()):
        if cancel.wait(LOOK_SECONDS):
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
