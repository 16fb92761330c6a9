"""Hosts on which everything works that `check` gathers, for tests of what happens where something does not."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from orchestrator.model.cluster import Cluster
from orchestrator.plan.checks import Evidence
from orchestrator.plan.command import Command
from orchestrator.plan.facts.host import Facts
from orchestrator.remote.execute.events import Happening
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe import preflight
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.plan.checks.samples import good
from tests.plan.recordings import INSPECTED, links_told, told, trial_line
from tests.plan.worlds import cluster
from tests.remote.fakes import Answer, FakeFleet, reached

DEMO = cluster()
HOSTS = {"gpu1", "gpu2", "gpu3"}


def sent(name: str) -> Callable[[Command], bool]:
    return lambda command: name in command.argv


def reaches(command: Command, _cancel: Event) -> Answer:
    """Every address that is asked for answers."""
    return Output(0, links_told(*asked_of(command)))


def asked_of(command: Command) -> tuple[str, ...]:
    return command.argv[command.argv.index("reach") + 1 :]


@dataclass
class Hosts:
    """Hosts in good order, and how `check` fares with them."""

    fake: FakeFleet = field(default_factory=FakeFleet)
    ended: set[str] = field(default_factory=set)
    cancel: Event = field(default_factory=Event)
    heard: list[Happening] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fake.on("*", sent("date"), lambda _command, _cancel: Output(0, f"{time.time()}\n"))
        self.fake.on("*", sent("inspect"), Output(0, *told(INSPECTED)))
        self.fake.on("*", sent("reach"), reaches)
        for host in HOSTS:
            self.trial(host, trial_line())

    def trial(self, host: str, *lines: str | Event, starts: Event | None = None) -> None:
        """A container that tells these lines and stays, until its standard input ends."""

        def stays(_command: Command, cancel: Event) -> Answer:
            assert reached(cancel), "its standard input never ended"
            self.ended.add(host)
            return Failure(FailureKind.CANCELLED, "cancelled")

        def matches(command: Command) -> bool:
            if "trial" in command.argv and starts:
                starts.set()
            return "trial" in command.argv

        self.fake.streams(host, matches, *lines, stays)

    def examine(self, of: Cluster = DEMO, facts: Facts | None = None) -> Evidence:
        with Fleet(of, lambda node, _: self.fake[node.name], self.fake.jobs, self.fake.timeouts) as fleet:
            return preflight.examine(of, facts or good(of), fleet, self.heard.append, self.cancel)

    def asked(self, host: str) -> tuple[str, ...]:
        """The addresses that were tried from a host."""
        commands = (each.command for each in self.fake.sent if each.host == host)
        return next((asked_of(command) for command in commands if "reach" in command.argv), ())

    def sent(self, name: str) -> set[str]:
        return {each.host for each in self.fake.sent if name in each.command.argv}
