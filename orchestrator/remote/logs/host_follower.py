"""Follows one host's log: through lost connections, and from one container to the next."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock
from time import monotonic

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan.logs.lines import Line, Log, LogContainer, container_news
from orchestrator.remote.logs.read import find, unreadable
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output, Transport

DOUBLED = 4  # times, by which the longest is reached: a host may be away for days
FOR_GOOD = (FailureKind.HOST_KEY, FailureKind.AUTH, FailureKind.ACCOUNT)
TWICE = 2  # a container may end just when its log is asked for; when that fails twice, there is more to it


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be known about a host whose log is followed: what, what was said there, what to do."""

    host: str
    text: str
    detail: str = ""
    fix: str = ""


@dataclass
class Follower:
    """Tells a host's lines, and what becomes of it, until `cancel` is set.

    `begun` is set once its log has begun to come, or is known not to come now.
    """

    cluster: Cluster
    node: Node
    log: Log
    via: Transport
    tell: Callable[[Said | Line], None]
    cancel: Event
    timeouts: Timeouts = DEFAULT
    begun: Event = field(default_factory=Event)
    _last: LogContainer | None = None
    _read_to_end: tuple[str, str] = ("", "")
    _lost: bool = False
    _failures: int = 0
    _streams: bool = False
    _received: float = 0.0
    _words: str = ""
    _lock: Lock = field(default_factory=Lock)

    def run(self) -> None:
        while not self.cancel.is_set():
            found = self._find()
            if isinstance(found, LogContainer):
                self._take(found)
            elif found.kind in FOR_GOOD:
                self._report(f"{found.message}; it is not followed", found.detail, found.fix)
                break
            else:
                self._lose(found)
            self.begun.set()
            self.cancel.wait(self._pause())
        self.begun.set()

    def _pause(self) -> float:
        return min(
            self.timeouts.log_retry * 2.0 ** min(self._failures, DOUBLED), self.timeouts.log_retry_most
        )

    def check(self) -> None:
        """Asks a host that has said nothing for long: its Docker may hang, or a cable be cut behind a jump host."""
        if self._streams and monotonic() > self._received + self.timeouts.log_quiet:
            found = self._find()
            if isinstance(found, LogContainer):
                self._received = monotonic()
                self._regain()
            elif self._streams:
                self._lose(found)

    def _find(self) -> LogContainer | Failure:
        return find(self.cluster, self.node, self.via, self.cancel)

    def _take(self, found: LogContainer) -> None:
        self._regain()
        if text := container_news(self._last, found):
            self._report(text)
        self._last = found
        if self._worth_reading(found):
            self._stream(found)
        else:
            self._failures = 0

    def _worth_reading(self, found: LogContainer) -> bool:
        """A container that has ended is read to its end, once."""
        there = (found.id, found.started)
        return found.running or not (self.log.needs_running or not found.id or there == self._read_to_end)

    def _stream(self, found: LogContainer) -> None:
        self._received, self._streams = monotonic(), True
        self.begun.set()
        ended = self.via.stream(self.log.follow(found), self._receive, timeout=math.inf, cancel=self.cancel)
        self._streams = False
        match ended:
            case Failure():
                self._lose(ended)
            case Output(0):
                self._failures = 0
                self._read_to_end = ("", "") if found.running else (found.id, found.started)
            case Output():
                self._wonder(ended)

    def _receive(self, line: str) -> None:
        self._received, self._words = monotonic(), line
        if parsed := self.log.receive(line):
            self._regain()
            self._failures = 0
            self.tell(parsed)

    def _lose(self, failure: Failure) -> None:
        """Tells of a host that is lost, once until it is back."""
        with self._lock:
            first, self._lost = not self._lost, True
        self._failures += 1
        if first and not self.cancel.is_set():
            fix = "" if self._last and failure.kind is FailureKind.UNREACHABLE else failure.fix
            self._report(f"{failure.message}; trying again", failure.detail, fix)

    def _regain(self) -> None:
        with self._lock:
            back, self._lost = self._lost, False
        if back:
            self._failures = 0
            self._report("answers again")

    def _wonder(self, ended: Output) -> None:
        self._failures += 1
        if self._failures == TWICE:
            failure = unreadable(ended, [self._words])
            self._report(f"{failure.message}; trying again", failure.detail)

    def _report(self, text: str, detail: str = "", fix: str = "") -> None:
        self.tell(Said(self.node.name, text, detail, fix))
