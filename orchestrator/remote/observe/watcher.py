"""Watches a cluster at next to no cost for its hosts.

A command on each host reports the events of its containers, and one on the head Ray's node table. A host is
inspected as `status` does it when one of them gives a reason, and now and then without one.
"""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import docker
from orchestrator.plan.facts.containers import container_of, ip_of
from orchestrator.plan.facts.host import (
    Container,
    Depth,
    Facts,
    HostFacts,
    RayTable,
    RayTrouble,
    Unreachable,
    answered,
)
from orchestrator.plan.problem import Problem, exited
from orchestrator.plan.ray.commands import parse_table
from orchestrator.plan.status import snapshot
from orchestrator.plan.status.health import Verdict
from orchestrator.plan.status.snapshot import ClusterSnapshot, Gpu
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe.hosts import inspect_host, unreachable
from orchestrator.remote.transport import Failure, FailureKind, Output

DOUBTFUL = {Verdict.DEGRADED, Verdict.UNKNOWN}


@dataclass
class _Host:
    """What is known of a host. Times: of the monotonic clock, but for `lost`."""

    node: Node
    facts: HostFacts | Unreachable = field(default_factory=snapshot.HostPending)
    looked: float = 0.0
    last_line: float = math.inf
    lost: float | None = None
    stale: bool = False
    looking: bool = False
    gpus: tuple[Gpu, ...] | str = ()
    lines: list[str] = field(default_factory=list)
    cut: Event = field(default_factory=Event)
    inspecting: Lock = field(default_factory=Lock)

    @property
    def listens(self) -> bool:
        return self.last_line < math.inf

    @property
    def aged(self) -> HostFacts | Unreachable:
        """The facts, with the host's clock as it stands now."""
        if isinstance(self.facts, Unreachable):
            return self.facts
        return replace(self.facts, now=self.facts.now + time.monotonic() - self.looked)


class Watcher:
    """The watch of a cluster, from `with` to its end, or until `cancel` is set.

    `only`: the hosts that are judged; beside them only the head is asked, which alone knows what Ray does.
    """

    def __init__(
        self, cluster: Cluster, fleet: Fleet, cancel: Event, only: frozenset[str] | None = None
    ) -> None:
        self._cluster, self._fleet, self._cancel, self._only = cluster, fleet, cancel, only
        self._timeouts = fleet.timeouts
        watched = (
            node for node in cluster.nodes if only is None or node.name in only or node is cluster.head
        )
        self._hosts = {node.name: _Host(node) for node in watched}
        self._head = self._hosts[cluster.head.name]
        self._containers: dict[str, Container | None] = {}
        self._table: RayTable | RayTrouble = snapshot.RayPending()
        self._table_received = 0.0
        self._pool = ThreadPoolExecutor(fleet.jobs)
        supervisors = [Thread(target=self._keep, args=(host,), daemon=True) for host in self._hosts.values()]
        self._has_ray = cluster.engine.has_ray
        followers = [Thread(target=self._follow_table, daemon=True)] if self._has_ray else []
        self._threads = [*supervisors, *followers]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancel.set()
        for host in self._hosts.values():
            host.cut.set()
        self._pool.shutdown(cancel_futures=True)
        for thread in self._threads:
            thread.join()

    def sights(self) -> Iterator[ClusterSnapshot]:
        """What is known, twice a second."""
        while not self._cancel.wait(self._timeouts.snapshot_every):
            sight = self._sight()
            unsound = {host.name for host in sight.health.hosts if host.verdict in DOUBTFUL}
            for host in self._hosts.values():
                doubtful = host.node.name in unsound
                self._inspect_if_due(
                    host, self._timeouts.look_again_unsound if doubtful else self._timeouts.look_again
                )
            for name in {model.host for model in sight.health.models} & self._hosts.keys():
                self._inspect_if_due(self._hosts[name], self._timeouts.look_again_serving)
            yield sight

    def _sight(self) -> ClusterSnapshot:
        facts: Facts = {name: host.aged for name, host in self._hosts.items()}
        head = facts[self._cluster.head.name]
        if isinstance(head, HostFacts) and self._has_ray:
            facts[self._cluster.head.name] = replace(head, ray=self._fresh_table)
        gpus = {name: host.gpus for name, host in self._hosts.items() if host.gpus}
        lost = {name: host.lost for name, host in self._hosts.items() if host.lost}
        return snapshot.snapshot(self._cluster, facts, gpus, lost, dict(self._containers), self._only)

    @property
    def _fresh_table(self) -> RayTable | RayTrouble:
        """A GCS that hangs changes nothing in its table."""
        quiet = self._timeouts.table_quiet
        if isinstance(self._table, RayTable) and time.monotonic() > self._table_received + quiet:
            return RayTrouble(f"nothing has been told of its node table for {quiet:.0f} s", gone=False)
        return self._table

    def _inspect_if_due(self, host: _Host, every: float) -> None:
        now = time.monotonic()
        if now > host.last_line + self._timeouts.host_quiet:
            host.cut.set()
        elif host.listens and not host.looking and (host.stale or now > host.looked + every):
            host.stale, host.looking = False, True
            self._pool.submit(self._look, host)

    def _look(self, host: _Host) -> None:
        with host.inspecting:
            cut = host.cut
            facts = inspect_host(self._cluster, host.node, self._fleet, cut, Depth.RAY)
            host.looking = False
            if not cut.is_set():
                self._record(host, facts)

    def _record(self, host: _Host, facts: HostFacts | Unreachable) -> None:
        host.facts, host.looked = facts, time.monotonic()
        if isinstance(answered(facts), Problem):
            host.lost, host.gpus = host.lost or time.time(), ()
        else:
            host.lost = None
            self._containers[host.node.name] = container_of(self._cluster, host.node, facts)

    def _keep(self, host: _Host) -> None:
        """Looks at the host and listens to it, again and again."""
        tries = 0
        while True:
            host.cut = Event()
            if self._cancel.is_set():
                host.cut.set()  # who has come by it meanwhile must not wait on it for ever
                return
            began = time.monotonic()
            self._look(host)
            if isinstance(host.facts, Unreachable) and host.facts.lasting:
                return
            if isinstance(found := answered(host.facts), HostFacts):
                self._stream_events(host, found.now)
            tries = tries + 1 if time.monotonic() < began + 2 * self._timeouts.host_quiet else 0
            if self._cancel.wait(self._pause(tries)):
                return

    def _stream_events(self, host: _Host, since: float) -> None:
        command = docker.watch(self._cluster, host.node, since)
        host.last_line = time.monotonic()
        ended = self._fleet[host.node.name].stream(
            command, lambda line: self._receive(host, line), timeout=math.inf, cancel=host.cut
        )
        host.last_line, host.lines = math.inf, []
        if isinstance(ended, Failure) and not self._cancel.is_set():
            self._record(host, self._lost(ended))

    def _pause(self, tries: int) -> float:
        return self._timeouts.retry[min(tries, len(self._timeouts.retry) - 1)]

    def _lost(self, ended: Failure) -> Unreachable:
        if ended.kind is FailureKind.CANCELLED:
            return Unreachable(f"nothing has been heard of it for {self._timeouts.host_quiet:.0f} s")
        return unreachable(ended)

    def _receive(self, host: _Host, line: str) -> None:
        host.last_line = time.monotonic()
        if line == "alive":
            host.gpus, host.lines = snapshot.read_gpus(host.lines), []
        elif line.startswith("gpu "):
            host.lines.append(line.removeprefix("gpu "))
        elif snapshot.changes_container(line):
            host.stale = True

    def _follow_table(self) -> None:
        """Listens to Ray's node table, whenever the head's container runs.

        The program there may have ended with its container, of which the next look tells.
        """
        tries = 0
        while not self._cancel.wait(self._pause(tries - 1) if tries else self._timeouts.snapshot_every):
            container = self._containers.get(self._cluster.head.name)
            if not (self._head.listens and container and container.running):
                continue
            began = time.monotonic()
            ended = self._stream_table()
            tries = tries + 1 if time.monotonic() < began + self._timeouts.host_quiet else 0
            if tries or isinstance(ended, Failure):
                self._table = RayTrouble(_last_words(ended), gone=False)
            self._head.stale = True

    def _stream_table(self) -> Output | Failure:
        command = docker.watch_nodes(self._cluster, self._head.node, self._head.node.ip or "127.0.0.1")
        via = self._fleet[self._head.node.name]
        return via.stream(command, self._receive_table, timeout=math.inf, cancel=self._head.cut)

    def _receive_table(self, line: str) -> None:
        """Where a node has come or gone, its host has changed, too. An empty line: all is as it was."""
        self._table_received = time.monotonic()
        if not line:
            return
        before, self._table = self._table, parse_table(line)
        if not isinstance(before, RayTable) or not isinstance(self._table, RayTable):
            return
        changed = {ip for ip, _ in _living(before) ^ _living(self._table)}
        for host in self._hosts.values():
            host.stale = host.stale or ip_of(host.node, host.facts) in changed


def _living(table: RayTable) -> set[tuple[str, float]]:
    return {(node.ip, node.started) for node in table.nodes if node.alive}


def _last_words(ended: Output | Failure) -> str:
    if isinstance(ended, Failure):
        return ended.message
    return f"the look at its node table: {exited(ended.exit_code, ended.stderr).text}"
