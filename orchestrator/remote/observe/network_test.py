"""Runs a rank of the network test on every host, side by side, and gathers what they report."""

import time
from collections.abc import Callable, Collection, Mapping
from threading import Event

from orchestrator.model.cluster import Cluster
from orchestrator.plan import docker, engine
from orchestrator.plan.command import Command
from orchestrator.plan.facts.address import places
from orchestrator.plan.facts.host import Facts, HostFacts
from orchestrator.plan.facts.network_test import Rank, Stage, parse_rank, partners
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
    """What the rank of each host reports, until all are through or one is lost. Every host has an address here."""
    commands = _commands(cluster, facts)
    hosts = tuple(commands)
    tell(LookBegan(hosts, TITLE, DOING[Stage.STARTING]))
    stages = limits(fleet.timeouts)
    with ProbeContainers(fleet.timeouts.probe_parting) as containers:
        running = {host: _Running(host, hosts, tell, containers.over) for host in hosts}
        for host, each in running.items():
            containers.start(fleet[host], commands[host], each.hear, each.end, longest(fleet.timeouts))
        if not all(_all_come_to(*each, running.values(), cancel) for each in stages.items()):
            _wait(
                fleet.timeouts.rank_grace, cancel, lambda: all(each.rank().bad for each in running.values())
            )
        return {host: each.rank() for host, each in running.items()}


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
    where, head, count = places(cluster, facts), facts[cluster.head.name], len(cluster.nodes)
    listeners = head.listeners if isinstance(head, HostFacts) else None
    port = engine.rendezvous(cluster, frozenset(each.port for each in listeners or ()))
    commands = {}
    for rank, (node, others) in enumerate(zip(cluster.nodes, partners(count), strict=True)):
        place = where[node.name]
        words = (rank, count, place.ip, where[cluster.head.name].ip, port, *others)
        commands[node.name] = docker.run_network_test(cluster, node, place, tuple(map(str, words)))
    return commands


def _all_come_to(stage: Stage, seconds: float, running: "Collection[_Running]", cancel: Event) -> bool:
    """Whether every rank comes so far in time, and none of them fails before."""

    def is_over() -> bool:
        ranks = [each.rank() for each in running]
        return any(rank.bad for rank in ranks) or all(rank.stage >= stage for rank in ranks)

    _wait(seconds, cancel, is_over)
    return all(each.rank().stage >= stage and not each.rank().bad for each in running)


def _wait(seconds: float, cancel: Event, is_over: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not is_over() and not cancel.wait(TICK):
        pass


class _Running:
    """A host's rank: the lines that it has printed so far, and how it ended."""

    def __init__(self, host: str, hosts: tuple[str, ...], tell: Tell, over: Event) -> None:
        self._host, self._hosts, self._tell, self._over = host, hosts, tell, over
        self._lines: list[str] = []
        self._ended = ""

    def rank(self) -> Rank:
        return parse_rank(self._hosts, self._host, tuple(self._lines), self._ended)

    def hear(self, line: str) -> None:
        self._lines.append(line)
        self._show()

    def end(self, ended: Output | Failure) -> None:
        if self._over.is_set():
            return
        if isinstance(ended, Failure):
            self._ended = ended.message
        else:
            self._ended = ended.stderr.strip() or f"exit code {ended.exit_code}"
        self._show()

    def _show(self) -> None:
        rank = self.rank()
        if self._over.is_set():
            return
        if rank.bad or rank.stage is Stage.DONE:
            self._tell(HostSeen(self._host, rank.bad.partition("\n")[0], "measured"))
        elif rank.stage in DOING:
            self._tell(LookBegan((self._host,), TITLE, DOING[rank.stage]))
