"""Gathers the evidence of `check`: host by host, then from host to host."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Node, Pull
from orchestrator.model.ssh_target import host_port
from orchestrator.plan import docker, engine
from orchestrator.plan.checks import Evidence
from orchestrator.plan.checks.docker_engine import is_fit
from orchestrator.plan.checks.entrypoint import is_to_be_tried
from orchestrator.plan.command import Command
from orchestrator.plan.facts import inspection, probe
from orchestrator.plan.facts.address import NodeAddress, places
from orchestrator.plan.facts.derived_image import from_head
from orchestrator.plan.facts.host import Facts, HostFacts
from orchestrator.plan.facts.inspection import Inspection
from orchestrator.plan.facts.probe import Link, Trial
from orchestrator.plan.host_commands import clock
from orchestrator.plan.problem import HostProblem, Problem, quoted
from orchestrator.plan.remedies import hint
from orchestrator.remote.execute.events import LookBegan, Tell
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe.probe_containers import ProbeContainers
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Failure, Output, Transport


def inspect_hosts(
    cluster: Cluster, nodes: tuple[Node, ...], fleet: Fleet, cancel: Event
) -> dict[str, Inspection | None]:
    """What Docker and the hardware of each host tell; None where they tell nothing."""

    def look(node: Node) -> tuple[str, Inspection | None]:
        command = docker.inspect(cluster, node, ask_registry=False)
        got = fleet[node.name].run(command, timeout=fleet.timeouts.inspect, cancel=cancel)
        return node.name, None if isinstance(got, Failure) else inspection.parse_inspection(got.stdout)

    with ThreadPoolExecutor(fleet.jobs) as pool:
        return dict(pool.map(look, nodes))


T = TypeVar("T")


def examine(cluster: Cluster, facts: Facts, fleet: Fleet, tell: Tell, cancel: Event) -> Evidence:
    """Everything more that can be learned of the hosts that answered the first look."""
    hosts = {name: here for name, here in facts.items() if isinstance(here, HostFacts)}
    tell(LookBegan(tuple(hosts), "Test the image and the network", "testing"))
    fit = {
        node.name: hosts[node.name]
        for node in cluster.nodes
        if node.name in hosts and is_fit(node, hosts[node.name], hosts[node.name].engine)
    }
    having = {name: here for name, here in fit.items() if here.image_id}  # an image to try
    check = _Check(cluster, hosts, places(cluster, having), fleet, cancel)
    clocks = check.each(hosts, check.clock)
    inspections = check.each(hosts, check.inspect)
    with check.trials() as tried:
        links = check.each(tried, lambda host: check.links(host, tried))
    prepared = check.prepared(tried)
    return Evidence(
        logins={host: fleet[host].login for host in hosts},
        login_warnings={host: fleet[host].warning for host in hosts},
        inspections={host: each for host, each in inspections.items() if isinstance(each, Inspection)},
        clocks={host: each for host, each in clocks.items() if each},
        trials=tried,
        prepared=prepared,
        links=tuple(link for found in links.values() if not isinstance(found, HostProblem) for link in found),
        gaps=tuple(
            each for each in (*inspections.values(), *links.values()) if isinstance(each, HostProblem)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Check:
    cluster: Cluster
    hosts: Mapping[str, HostFacts]
    places: Mapping[str, NodeAddress]
    fleet: Fleet
    cancel: Event

    def each(self, hosts: Iterable[str], act: Callable[[str], T]) -> dict[str, T]:
        """What comes of doing something on each host, side by side."""
        names = list(hosts)
        with ThreadPoolExecutor(self.fleet.jobs) as pool:
            return dict(zip(names, pool.map(act, names), strict=True))

    def clock(self, host: str) -> tuple[float, float] | None:
        """By how many seconds the host's clock is ahead of ours, at least and at most."""
        asked = time.time()
        got = self.fleet[host].run(clock(), timeout=self.fleet.timeouts.clock, cancel=self.cancel)
        answered = time.time()
        seconds = re.fullmatch(r"\s*([0-9]+(\.[0-9]+)?)\s*", "" if isinstance(got, Failure) else got.stdout)
        return (float(seconds[1]) - answered, float(seconds[1]) - asked) if seconds else None

    def inspect(self, host: str) -> Inspection | HostProblem:
        node, facts = self._node(host), self.hosts[host]
        absent = not facts.image_id and not isinstance(facts.docker, Problem)
        ask_registry = (
            absent
            and node.docker.pull is not Pull.NEVER
            and not self.cluster.ray.install
            and not from_head(self.cluster, node)
        )
        command = docker.inspect(self.cluster, node, ask_registry=ask_registry)
        got = self.fleet[host].run(command, timeout=self.fleet.timeouts.inspect, cancel=self.cancel)
        found = None if isinstance(got, Failure) else inspection.parse_inspection(got.stdout)
        return found or _gap(host, "the second look at it", got)

    def prepared(self, tried: Mapping[str, Trial | Problem]) -> frozenset[tuple[str, int]] | None:
        """The environment behind the image's own entrypoint, on the head, where one is skipped that may set it up."""
        head = self.cluster.head
        if self.cancel.is_set() or not isinstance(tried.get(head.name), Trial):
            return None
        if not is_to_be_tried(head, self.hosts[head.name]):
            return None
        command = docker.try_entrypoint(self.cluster, head, self.places[head.name])
        got = self.fleet[head.name].run(command, timeout=self.fleet.timeouts.trial_start, cancel=self.cancel)
        if isinstance(got, Failure) or got.exit_code:
            return None  # it runs no command that is given to it: nothing is lost
        return probe.parse_variables(got.stdout)

    @contextmanager
    def trials(self) -> "Iterator[dict[str, Trial | Problem]]":
        """A container from the image on each host that has it, for as long as this lasts."""
        hosts = () if self.cancel.is_set() else self.places
        with ProbeContainers(self.fleet.timeouts.probe_parting) as brief:
            running = {
                host: _Trial(brief, self.fleet[host], self.trial(host), self.fleet.timeouts) for host in hosts
            }
            tried = {host: each.result(self.cancel) for host, each in running.items()}
            yield tried
        self.each((host for host, each in running.items() if each.stays), self.end_trial)

    def end_trial(self, host: str) -> None:
        """Of an entrypoint that runs something else, which hears nothing of the end of standard input."""
        command = docker.end_trial(self.cluster, self._node(host))
        self.fleet[host].run(command, timeout=self.fleet.timeouts.probe_parting, cancel=self.cancel)

    def trial(self, host: str) -> Command:
        facts = self.hosts[host]
        folder = facts.machine.hf_home if facts.machine else None
        mounted = folder.path if folder and folder.exists else ""
        return docker.run_probe(
            self.cluster, self._node(host), self.places[host], mounted, self.probe_ports(host)
        )

    def links(self, host: str, tried: Mapping[str, Trial | Problem]) -> tuple[Link, ...] | HostProblem:
        """The head tries every worker, each worker the head."""
        node = self._node(host)
        asked = {
            host_port(place.ip, port): other
            for other, place in self.places.items()
            if self._node(other).role is not node.role
            for port in self._answered(other, place, tried.get(other))
        }
        if not asked or not isinstance(tried[host], Trial):
            return ()
        command = docker.check_tcp(self.cluster, node, tuple(asked))
        got = self.fleet[host].run(command, timeout=self.fleet.timeouts.check_tcp, cancel=self.cancel)
        if isinstance(got, Failure) or got.exit_code:
            return _gap(host, "trying connections from it", got)
        return probe.parse_links(host, asked, got.stdout)

    def _answered(self, host: str, place: NodeAddress, tried: Trial | Problem | None) -> tuple[int, ...]:
        """The ports at which the trial listens, or who was there before. Any other refuses without a firewall."""
        if not isinstance(tried, Trial):
            return ()
        before = {each.port for each in self.hosts[host].listeners or () if each.address in ("*", place.ip)}
        return tuple(port for port in self.probe_ports(host) if port in tried.listens or port in before)

    def probe_ports(self, host: str) -> tuple[int, ...]:
        """The ports at which the host is tried."""
        facts, node = self.hosts[host], self._node(host)
        held = frozenset(each.port for each in facts.listeners or ())
        return engine.of(self.cluster).probe_ports(self.cluster, node, held)

    def _node(self, host: str) -> Node:
        return next(node for node in self.cluster.nodes if node.name == host)


def trial_seconds(timeouts: Timeouts) -> float:
    """How long a trial may last: one that was quick waits for the slowest, and for what is tried then."""
    return timeouts.trial_start + 2 * timeouts.check_tcp


class _Trial:
    """A container that reports what is in it."""

    def __init__(self, brief: ProbeContainers, via: Transport, command: Command, timeouts: Timeouts) -> None:
        self._answered, self._seconds = Event(), timeouts.trial_start
        self._until = time.monotonic() + self._seconds
        self._line = ""
        self._ended: Output | Failure | None = None
        self.stays = False
        """Whether its container has said nothing, and was not heard to end either."""
        brief.start(via, command, self._receive, self._end, trial_seconds(timeouts))

    def result(self, cancel: Event) -> Trial | Problem:
        while not (self._answered.wait(0.2) or cancel.is_set() or time.monotonic() > self._until):
            pass
        if self._line:
            return probe.parse_trial(self._line)
        match self._ended:
            case Output() as output:
                return Problem(output.stderr.strip() or f"exit code {output.exit_code}")
            case Failure() as failure:
                return Problem(failure.message)
        self.stays = True
        return Problem(f"it says nothing for {self._seconds:.0f} s")

    def _receive(self, line: str) -> None:
        if probe.is_answer(line) and not self._line:  # a host may greet before
            self._line = line
            self._answered.set()

    def _end(self, ended: Output | Failure) -> None:
        self._ended = ended
        self._answered.set()


def _gap(host: str, what: str, got: Output | Failure) -> HostProblem:
    if isinstance(got, Failure):
        return HostProblem(host, quoted(f"{what} failed: ", got.message, got.fix))
    why = f"exit code {got.exit_code}" if got.exit_code else "an answer that could not be read"
    words = got.stderr.strip() or why
    return HostProblem(host, quoted(f"{what} failed: ", words, hint(words)))
