"""A fleet without hosts, for tests of what is done on them: it answers as told, and to nothing else."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from threading import Event, Lock

from orchestrator.plan.command import Command
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output, Receive, Wire

SOON = 20.0
"""Seconds after which a test that waits for something has failed."""

ANY = "*"

Answer = Output | Failure
Reply = Answer | Callable[[Command, Event], Answer]
Matcher = str | Callable[[Command], bool]
Told = str | Event | Reply


@dataclass(frozen=True, slots=True)
class Sent:
    """A command that reached a host. `piped`: what it was given to read by `pipe`."""

    host: str
    command: Command
    piped: bytes = b""


class UnmatchedError(AssertionError):
    """A command for which a test has no answer."""


def reached(event: Event) -> bool:
    """Whether it is set before a test has to give up."""
    return event.wait(SOON)


def held(_command: Command, cancel: Event) -> Answer:
    """A command that ends only when it is cancelled, as a transport ends it."""
    assert reached(cancel), "nobody cancelled it"
    return Failure(FailureKind.CANCELLED, "cancelled")


@dataclass
class _Rule:
    host: str
    matcher: Matcher
    replies: Iterator[Reply]
    lines: tuple[Told, ...] | None = None
    _last: Reply | None = None

    def fits(self, host: str, command: Command, *, streams: bool) -> bool:
        if self.host not in (ANY, host) or streams is (self.lines is None):
            return False
        return self.matcher in command.line() if isinstance(self.matcher, str) else self.matcher(command)

    def reply(self) -> Reply:
        """The next reply; the last one goes on for ever."""
        self._last = next(self.replies, self._last)
        assert self._last is not None, "a rule needs a reply"
        return self._last


@dataclass
class FakeFleet:
    """Transports by name. Later rules win, so that a test can make an exception of one host."""

    jobs: int = 8
    timeouts: Timeouts = DEFAULT
    sent: list[Sent] = field(default_factory=list)
    unmatched: list[Sent] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    wires: dict[tuple[str, str, int], Callable[[], Wire | Failure]] = field(default_factory=dict)
    _rules: list[_Rule] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def on(self, host: str, matcher: Matcher, *replies: Reply) -> None:
        """Answers a command that fits, each time with the next reply."""
        self._rules.insert(0, _Rule(host, matcher, iter(replies)))

    def streams(self, host: str, matcher: Matcher, *told: Told) -> None:
        """Tells these lines. An Event holds the next one back; an answer is the end, else it is held open."""
        self._rules.insert(0, _Rule(host, matcher, iter(()), told))

    def __getitem__(self, host: str) -> "FakeHost":
        return FakeHost(host, self)

    def at_work(self) -> AbstractContextManager[object]:
        return nullcontext()

    def lines(self, host: str = ANY) -> list[str]:
        """The lines that were sent, in order."""
        return [each.command.line() for each in self.sent if host in (ANY, each.host)]

    def take(self, host: str, command: Command, *, streams: bool, piped: bytes = b"") -> _Rule:
        with self._lock:
            self.sent.append(Sent(host, command, piped))
            for rule in self._rules:
                if rule.fits(host, command, streams=streams):
                    return rule
            self.unmatched.append(self.sent[-1])
        raise UnmatchedError(f"{host} has no answer to: {command.line()}")

    def next_reply(self, rule: _Rule) -> Reply:
        with self._lock:
            return rule.reply()

    def check(self) -> None:
        """At the end of a test: every command had its answer."""
        assert not self.unmatched, (
            f"no answer to {[(each.host, each.command.line()) for each in self.unmatched]}"
        )


@dataclass(frozen=True)
class FakeHost:
    """One host of the fleet: a transport."""

    name: str
    fleet: FakeFleet
    login: str = ""
    warning: str = ""
    places: AbstractContextManager[object] = field(default_factory=nullcontext)

    def open(self, *, cancel: Event) -> Failure | None:
        """It has answered."""

    def run(self, command: Command, *, timeout: float, cancel: Event) -> Answer:
        assert timeout > 0
        if cancel.is_set():
            return Failure(FailureKind.CANCELLED, "cancelled")
        with self.places:
            reply = self.fleet.next_reply(self.fleet.take(self.name, command, streams=False))
            return reply(command, cancel) if callable(reply) else reply

    def stream(
        self,
        command: Command,
        on_line: Callable[[str], None],
        *,
        timeout: float,
        cancel: Event,
        over: Event | None = None,
    ) -> Answer:
        """Where its standard input can end, that is what a command is told of, rather than the cancel."""
        assert timeout > 0
        try:
            rule = self.fleet.take(self.name, command, streams=True)
        except UnmatchedError as unmatched:  # nobody would hear of it in the thread of a watch
            return Failure(FailureKind.EXIT, str(unmatched))
        return _tell(rule.lines or (), on_line, command, over or cancel)

    def pipe(
        self,
        command: Command,
        stdin: int,
        on_stdout: Receive,
        on_stderr: Receive,
        *,
        timeout: float,
        cancel: Event,
        to_the_end: bool = False,  # noqa: ARG002 - no login shell speaks here
    ) -> Answer:
        """Answers as `run` does, once all of the input was read. No host here has a Python for a relay."""
        assert timeout > 0
        if command.script == "relay":
            return Output(127, "", "this host has no python3\n")
        with os.fdopen(stdin, "rb", closefd=False) as source:
            piped = source.read()
        reply = self.fleet.next_reply(self.fleet.take(self.name, command, streams=False, piped=piped))
        answer = reply(command, cancel) if callable(reply) else reply
        if isinstance(answer, Output):
            on_stdout(answer.stdout.encode())
            on_stderr(answer.stderr.encode())
        return answer

    def connect(self, address: str, port: int, *, cancel: Event) -> Wire | Failure:
        """Whatever the test has put there, and else nothing answers."""
        if cancel.is_set():
            return Failure(FailureKind.CANCELLED, "cancelled")
        nobody = Failure(FailureKind.UNREACHABLE, f"nothing answers at {address}:{port} on {self.name}")
        return self.fleet.wires.get((self.name, address, port), lambda: nobody)()

    def close(self) -> None:
        self.fleet.closed.add(self.name)


def _tell(told: Sequence[Told], tell: Callable[[str], None], command: Command, cancel: Event) -> Answer:
    for each in told:
        match each:
            case str():
                tell(each)
            case Event():
                assert reached(each), "a line was held back for ever"
            case Output() | Failure():
                return each
            case _:
                return each(command, cancel)
    return held(command, cancel)
