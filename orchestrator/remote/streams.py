"""The bytes of a command: what it reads, what it prints, and how long it is waited for."""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from select import POLLIN, POLLOUT, poll
from threading import Event
from time import monotonic
from typing import Protocol

from orchestrator.plan.command import Command
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import (
    Failure,
    FailureError,
    FailureKind,
    Output,
    PollableEvent,
    Receive,
)

CHUNK = 1 << 16  # bytes: twice what a packet of paramiko's carries
KEPT = 1 << 16  # bytes of standard error that a stream keeps: it may last for days
LAST, LINES = 4096, 10  # of a command's last words


class Deadline:
    """The end of a wait: some seconds from now, or a cancellation."""

    def __init__(self, seconds: float, cancel: Event, poll: float = DEFAULT.poll) -> None:
        """`poll`: seconds after which the clock and the cancel flag are looked at again, at the latest."""
        self.seconds = seconds
        self.cancel = cancel
        self._end, self._poll = monotonic() + seconds, poll

    @property
    def left(self) -> float:
        return max(0.0, self._end - monotonic())

    @property
    def over(self) -> bool:
        return self.cancel.is_set() or not self.left

    @property
    def wakes(self) -> tuple[int, ...]:
        """The file descriptor that becomes readable with the cancellation, where there is one."""
        return (self.cancel.fileno(),) if isinstance(self.cancel, PollableEvent) else ()

    def slice(self, longest: float = math.inf) -> float:
        """Seconds to wait before looking again."""
        return min(longest, self._poll, self.left)

    def failure(self, detail: str = "") -> Failure:
        """Why the wait is over."""
        if self.cancel.is_set():
            return Failure(FailureKind.CANCELLED, "interrupted", detail=detail)
        return Failure(FailureKind.TIMEOUT, f"no answer within {self.seconds:g} s", detail=detail)


@dataclass
class Lines:
    """Hands on whole lines. Cut as bytes, so no character is ever cut in two."""

    on_line: Callable[[str], None]
    _rest: bytes = field(default=b"", init=False)

    def receive(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.on_line(line.decode(errors="replace"))

    def end(self) -> None:
        """What came last may lack its newline."""
        if self._rest:
            self.on_line(self._rest.decode(errors="replace"))


@dataclass
class Tail:
    """The last `limit` bytes received; all of them where there is no limit. `pass_on`: who else receives them."""

    limit: int | None
    pass_on: Receive = lambda _: None
    received: bytearray = field(default_factory=bytearray, init=False)

    def receive(self, data: bytes) -> None:
        self.pass_on(data)
        self.received += data
        if self.limit is not None:
            del self.received[: -self.limit]

    @property
    def text(self) -> str:
        return self.received.decode(errors="replace")

    @property
    def last_words(self) -> str:
        return last_words(self.received)


def last_words(received: bytes | bytearray) -> str:
    """The last lines of what a command has printed, to stand below a message."""
    return "\n".join(received[-LAST:].decode(errors="replace").splitlines()[-LINES:])


class Endpoint(Protocol):
    """A command that runs, by its three streams: paramiko's channel, or a process of this machine."""

    @property
    def reads(self) -> tuple[int, ...]:
        """The file descriptors that become readable when the command has printed something."""
        ...

    @property
    def writes(self) -> tuple[int, ...]:
        """Those that become writable when it takes more input; none where nothing tells of that."""
        ...

    @property
    def output_ended(self) -> bool: ...

    @property
    def eof_sent(self) -> int: ...

    def send_ready(self) -> bool: ...

    def send(self, data: bytes, /) -> int: ...

    def shutdown_write(self) -> None: ...

    def receive(self, on_stdout: Receive, on_stderr: Receive) -> bool:
        """Hand on some of what is there, without waiting. False where there was nothing.

        Some, because a command may print more than anybody can ever read.
        """
        ...

    def wait_exit(self, seconds: float) -> bool:
        """Whether it has ended, after `seconds` at most: a command may close its output and go on."""
        ...


class InputSource(Protocol):
    """Where the input comes from."""

    @property
    def waits_for(self) -> tuple[int, ...]:
        """The file descriptors that have to be readable before there is more to send."""
        ...

    def feed(self, command: Endpoint) -> bool:
        """Send what the command takes, and the end after the last of it. True unless something is left over."""
        ...


def pump(
    command: Endpoint,
    stdin: InputSource,
    on_stdout: Receive,
    on_stderr: Receive,
    deadline: Deadline,
    window: float = DEFAULT.window,
) -> bool:
    """Carry a command's bytes until it has ended: True. False where the deadline came first.

    `window`: seconds between tries to send where nothing tells that the command takes more.
    """
    reads_input = True
    while not command.output_ended:
        if deadline.over:
            return False
        sent = True
        if reads_input:
            try:
                sent = stdin.feed(command)
            except (OSError, EOFError):  # a command may end, or close its input, without reading all
                reads_input = False
        sources = stdin.waits_for if sent and reads_input else ()
        wait = deadline.slice(math.inf if sent or command.writes else window)
        _poll((*command.reads, *deadline.wakes, *sources), () if sent else command.writes, wait)
        command.receive(on_stdout, on_stderr)
    while command.receive(on_stdout, on_stderr):
        pass
    while not command.wait_exit(deadline.slice()):
        if deadline.over:
            return False
    return True


def _poll(reads: tuple[int, ...], writes: tuple[int, ...], seconds: float) -> bool:
    """Whether one of the descriptors can be read, written, or has ended, after `seconds` at most."""
    poller = poll()
    for descriptor in reads:
        poller.register(descriptor, POLLIN)
    for descriptor in writes:
        poller.register(descriptor, POLLOUT)
    return bool(poller.poll(1000 * seconds))


def can_write(descriptor: int) -> bool:
    return _poll((), (descriptor,), 0)


@dataclass
class StaticInput:
    """Input that is known from the start."""

    data: bytes
    _sent: int = field(default=0, init=False)

    @property
    def waits_for(self) -> tuple[int, ...]:
        return ()

    def feed(self, command: Endpoint) -> bool:
        while not self._all_sent and command.send_ready():
            self._sent += command.send(self.data[self._sent : self._sent + CHUNK])
        if self._all_sent and not command.eof_sent:
            self._end(command)
        return self._all_sent

    @property
    def _all_sent(self) -> bool:
        return self._sent == len(self.data)

    def _end(self, command: Endpoint) -> None:
        command.shutdown_write()


@dataclass
class HeartbeatInput(StaticInput):
    """The same, held open until it is `over`, with an empty line every `seconds`.

    A command that reads them knows that we live, and we learn whether they can be sent.
    """

    over: PollableEvent | None
    seconds: float
    _last: float = field(default_factory=monotonic, init=False)
    _ended: bool = field(default=False, init=False)

    @property
    def waits_for(self) -> tuple[int, ...]:
        return () if self.over is None or self._ended else (self.over.fileno(),)

    def _end(self, command: Endpoint) -> None:
        if self.over and self.over.is_set():
            self._ended = True
            command.shutdown_write()
        elif monotonic() >= self._last + self.seconds and command.send_ready():
            self._last = monotonic()
            command.send(b"\n")


@dataclass
class FdInput:
    """Input that somebody else writes: read only once the command has taken what was read before."""

    descriptor: int
    _rest: bytes = field(default=b"", init=False)
    _ended: bool = field(default=False, init=False)

    @property
    def waits_for(self) -> tuple[int, ...]:
        return () if self._ended else (self.descriptor,)

    def feed(self, command: Endpoint) -> bool:
        if not (self._rest or self._ended) and _poll((self.descriptor,), (), 0):
            self._rest = _read(self.descriptor)
            self._ended = not self._rest
        while self._rest and command.send_ready():
            self._rest = self._rest[command.send(self._rest) :]
        if self._ended and not command.eof_sent:
            command.shutdown_write()
        return not self._rest


def _read(descriptor: int) -> bytes:
    """What cannot be read, such as a folder, has ended: poll would call it readable for ever."""
    try:
        return os.read(descriptor, CHUNK)
    except OSError:
        return b""


Places = AbstractContextManager[object]
"""Entered while a command runs: a fleet's, for so many at once."""


class BaseTransport(ABC):
    """The part that all transports share: which input a command gets, and who receives its output."""

    def __init__(self, timeouts: Timeouts, places: Places | None) -> None:
        self.timeouts = timeouts
        self._places = places or nullcontext()

    @abstractmethod
    def open(self, *, cancel: Event) -> Failure | None: ...

    def run(self, command: Command, *, timeout: float, cancel: Event) -> Output | Failure:
        # Outside, so that a host that does not answer keeps nobody from work.
        if failure := self.open(cancel=cancel):
            return failure
        stdout = Tail(None)
        stdin = StaticInput(command.input())
        with self._places:
            ended = self._output(command, stdin, stdout.receive, Tail(None), timeout, cancel)
        return ended if isinstance(ended, Failure) else replace(ended, stdout=stdout.text)

    def stream(
        self,
        command: Command,
        on_line: Callable[[str], None],
        *,
        timeout: float,
        cancel: Event,
        over: PollableEvent | None = None,
    ) -> Output | Failure:
        lines = Lines(on_line)
        stdin = HeartbeatInput(command.input(), over, self.timeouts.heartbeat)
        ended = self._output(command, stdin, lines.receive, Tail(KEPT), timeout, cancel)
        lines.end()
        return ended

    def pipe(
        self,
        command: Command,
        stdin: int,
        on_stdout: Receive,
        on_stderr: Receive,
        *,
        timeout: float,
        cancel: Event,
        to_the_end: bool = False,
    ) -> Output | Failure:
        kept = Tail(KEPT, on_stderr)
        return self._output(command, FdInput(stdin), on_stdout, kept, timeout, cancel, to_the_end=to_the_end)

    def _output(
        self,
        command: Command,
        stdin: InputSource,
        on_stdout: Receive,
        stderr: Tail,
        timeout: float,
        cancel: Event,
        *,
        to_the_end: bool = False,
    ) -> Output | Failure:
        try:
            exit_code = self._exec(command, stdin, on_stdout, stderr, timeout, cancel, to_the_end=to_the_end)
        except FailureError as failed:
            return failed.failure
        return Output(exit_code, stderr=stderr.text)

    @abstractmethod
    def _exec(
        self,
        command: Command,
        stdin: InputSource,
        on_stdout: Receive,
        stderr: Tail,
        timeout: float,
        cancel: Event,
        *,
        to_the_end: bool,
    ) -> int:
        """The exit code of a command that ran to its end, or FailureError. `to_the_end`: as `pipe` has it."""


def killed(stderr: Tail) -> FailureError:
    """For a command that a signal ended, and that so has no exit code."""
    return FailureError(
        Failure(
            FailureKind.EXIT,
            "the command was killed by a signal",
            detail=stderr.last_words,
            fix="was the host out of memory? try there: sudo dmesg | tail",
        )
    )
