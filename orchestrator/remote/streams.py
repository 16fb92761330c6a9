"""What a command reads on its standard input, sent as fast as the host takes it."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from select import POLLIN, poll
from threading import Event
from time import monotonic
from typing import Protocol

from orchestrator.plan.command import Command
from orchestrator.remote.transport import Failure, Hear, Output, PollableEvent


@dataclass
class Lines:
    """Hands on whole lines. Cut as bytes, so no character is ever cut in two."""

    tell: Callable[[str], None]
    _rest: bytes = field(default=b"", init=False)

    def hear(self, heard: bytes) -> None:
        *lines, self._rest = (self._rest + heard).split(b"\n")
        for line in lines:
            self.tell(line.decode(errors="replace"))

    def end(self) -> None:
        """What came last may lack its newline."""
        if self._rest:
            self.tell(self._rest.decode(errors="replace"))


@dataclass
class Tail:
    """The last `limit` bytes of what was heard; all of it where there is no limit. `pass_on`: who else hears it."""

    limit: int | None
    pass_on: Hear = lambda _: None
    heard: bytearray = field(default_factory=bytearray, init=False)

    def hear(self, heard: bytes) -> None:
        self.pass_on(heard)
        self.heard += heard
        if self.limit is not None:
            del self.heard[: -self.limit]

    @property
    def text(self) -> str:
        return self.heard.decode(errors="replace")


KEPT = 1 << 16  # bytes of standard error that a stream keeps: it may last for days


CHUNK = 1 << 16  # bytes: twice what a packet of paramiko's carries
PULSE = 5.0  # seconds between signs of life on a standard input that is held open


class Writable(Protocol):
    """A command's standard input: paramiko's channel, or what stands for one."""

    @property
    def eof_sent(self) -> int: ...

    def send_ready(self) -> bool: ...

    def send(self, data: bytes, /) -> int: ...

    def shutdown_write(self) -> None: ...


class InputSource(Protocol):
    """Where the input comes from."""

    @property
    def waits_for(self) -> tuple[int, ...]:
        """The file descriptors that have to be readable before there is more to send."""
        ...

    def feed(self, channel: Writable) -> bool:
        """Send what the host takes, and the end after the last of it. True unless something is left over."""
        ...


@dataclass
class StaticInput:
    """Input that is known from the start."""

    data: bytes
    _sent: int = field(default=0, init=False)

    @property
    def waits_for(self) -> tuple[int, ...]:
        return ()

    def feed(self, channel: Writable) -> bool:
        while not self._all_sent and channel.send_ready():
            self._sent += channel.send(self.data[self._sent : self._sent + CHUNK])
        if self._all_sent and not channel.eof_sent:
            self._end(channel)
        return self._all_sent

    @property
    def _all_sent(self) -> bool:
        return self._sent == len(self.data)

    def _end(self, channel: Writable) -> None:
        channel.shutdown_write()


@dataclass
class HeartbeatInput(StaticInput):
    """The same, held open until it is `over`, with signs of life."""

    over: PollableEvent | None
    _beat: float = field(default_factory=monotonic, init=False)
    _ended: bool = field(default=False, init=False)

    @property
    def waits_for(self) -> tuple[int, ...]:
        return () if self.over is None or self._ended else (self.over.fileno(),)

    def _end(self, channel: Writable) -> None:
        if self.over and self.over.is_set():
            self._ended = True
            channel.shutdown_write()
        else:
            self._pulse(channel)

    def _pulse(self, channel: Writable) -> None:
        """An empty line now and then: who reads it knows that we live, and we learn whether it can be sent."""
        if monotonic() >= self._beat + PULSE and channel.send_ready():
            self._beat = monotonic()
            channel.send(b"\n")


@dataclass
class FdInput:
    """Input that somebody else writes: read only once the host has taken what was read before."""

    descriptor: int
    _rest: bytes = field(default=b"", init=False)
    _ended: bool = field(default=False, init=False)

    @property
    def waits_for(self) -> tuple[int, ...]:
        return () if self._ended else (self.descriptor,)

    def feed(self, channel: Writable) -> bool:
        if not (self._rest or self._ended) and _readable(self.descriptor):
            self._rest = _read(self.descriptor)
            self._ended = not self._rest
        while self._rest and channel.send_ready():
            self._rest = self._rest[channel.send(self._rest) :]
        if self._ended and not channel.eof_sent:
            channel.shutdown_write()
        return not self._rest


def _readable(descriptor: int) -> bool:
    poller = poll()
    poller.register(descriptor, POLLIN)
    return bool(poller.poll(0))


def _read(descriptor: int) -> bytes:
    """What cannot be read, such as a folder, has ended: poll would call it readable for ever."""
    try:
        return os.read(descriptor, CHUNK)
    except OSError:
        return b""


class BaseTransport(ABC):
    """What all transports have in common: which input a command gets, and who hears it."""

    def run(self, command: Command, *, timeout: float, cancel: Event) -> Output | Failure:
        stdout, stderr = bytearray(), Tail(None)
        stdin = StaticInput(command.input())
        ended = self._exec(command, stdin, stdout.extend, stderr, timeout, cancel)
        return (
            ended
            if isinstance(ended, Failure)
            else Output(ended, stdout.decode(errors="replace"), stderr.text)
        )

    def stream(
        self,
        command: Command,
        tell: Callable[[str], None],
        *,
        timeout: float,
        cancel: Event,
        over: PollableEvent | None = None,
    ) -> Output | Failure:
        lines, stderr = Lines(tell), Tail(KEPT)
        stdin = HeartbeatInput(command.input(), over)
        ended = self._exec(command, stdin, lines.hear, stderr, timeout, cancel)
        lines.end()
        return ended if isinstance(ended, Failure) else Output(ended, stderr=stderr.text)

    def pipe(
        self, command: Command, stdin: int, hear: Hear, complain: Hear, *, timeout: float, cancel: Event
    ) -> Output | Failure:
        stderr = Tail(KEPT, complain)
        ended = self._exec(command, FdInput(stdin), hear, stderr, timeout, cancel)
        return ended if isinstance(ended, Failure) else Output(ended, stderr=stderr.text)

    @abstractmethod
    def _exec(
        self, command: Command, stdin: InputSource, hear: Hear, stderr: Tail, timeout: float, cancel: Event
    ) -> int | Failure:
        """The exit code of a command that ran to its end."""
