"""Image streams: one host's output is the input of commands on others, as it comes.

Nothing is stored: a piece is passed on whole before the next is read, so all go at the pace of the slowest.
A host that ends, or takes nothing for a while, is left behind by the others.
"""

import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from select import POLLOUT, poll
from threading import Event, Thread
from time import monotonic
from typing import Self

from orchestrator.plan.problem import exited
from orchestrator.plan.progress import Progress, size
from orchestrator.plan.steps import Feed, Run
from orchestrator.remote.execute.command import check_exit_code, with_timeout
from orchestrator.remote.execute.events import StepAdvanced, StepWaits, Tell
from orchestrator.remote.execute.rate import Rate
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output, Transport

PIECE = 1 << 18
LEAST = 0.01
"""An archive that has less of the image's size is hollow: no image is compressed so much."""


class ImageStream:
    """A phase's image stream while it runs, with a receiver for each of its hosts."""

    def __init__(
        self, feed: Feed, via: Transport, hosts: frozenset[str], tell: Tell, cancel: Event, timeouts: Timeouts
    ) -> None:
        self._feed, self._via, self._tell, self._timeouts = feed, via, tell, timeouts
        self._stop = _Also(cancel)
        self._taps = {host: _Receiver(_Also(cancel), timeouts) for host in hosts}
        self._trouble: Failure | None = None
        self._poured = 0
        self._packer = _Packer(feed.packer, self._share) if feed.packer else None
        self._thread = Thread(target=self._flow, name="feed", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """A tap that nobody came to must not hold up the end."""
        self._stop.set()
        for tap in self._taps.values():
            tap.leave()
        self._thread.join()

    def run(self, step: Run, via: Transport) -> Output | Failure:
        """The step's command, reading what is fed."""
        tap = self._taps[step.host]
        if self._feed.size:  # its source may take its time before the first piece comes
            self._tell(StepAdvanced(step, Progress(0, self._feed.size)))
        tap.step = step
        command, seconds = with_timeout(step.command, step.timeout), step.timeout + 10
        got = via.pipe(command, tap.read, _ignore, _ignore, timeout=seconds, cancel=tap.cancel)
        tap.leave()
        return self._trouble or tap.trouble or check_exit_code(got, step.timeout)

    def _flow(self) -> None:
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - its descriptor is what is wanted
            command, seconds = with_timeout(self._feed.command, self._feed.within), self._feed.within + 10
            got = self._via.pipe(
                command, nothing.fileno(), self._pour, _ignore, timeout=seconds, cancel=self._stop
            )
        end = check_exit_code(got, self._feed.within)
        if self._packer and (why := self._packer.end()) and isinstance(end, Output):
            end = why
        self._trouble = _why_dry(self._feed, end)
        if not self._trouble and isinstance(end, Output):
            self._trouble = why_hollow(self._feed, self._poured)
        for tap in self._taps.values():
            if tap.step and tap.is_open and isinstance(end, Output):
                self._tell(StepWaits(tap.step, f"all {size(tap.sent)} are there, and Docker takes them in"))
            tap.end(cut=bool(self._trouble) or isinstance(end, Failure))

    def _pour(self, piece: bytes) -> None:
        """Passes on what the source gives; comes back when it can give more."""
        self._poured += len(piece)
        if self._packer:
            self._packer.take(piece)
        else:
            self._share(piece)

    def _share(self, piece: bytes) -> None:
        """Hands the piece to every tap that is open; comes back when all have taken it."""
        for tap in self._taps.values():
            tap.rest = memoryview(piece)
        until = monotonic() + self._timeouts.image_piece
        while waiting := [tap for tap in self._taps.values() if tap.is_open and tap.rest]:
            if self._stop.is_set():
                return
            if monotonic() >= until:
                for tap in waiting:
                    tap.give_up()
            for tap in _ready(waiting):
                tap.take()
        self._report()

    def _report(self) -> None:
        taps = [tap for tap in self._taps.values() if tap.is_open]
        for tap in taps:
            if tap.step and (far := tap.how_far(self._feed.size, self._poured if self._packer else tap.sent)):
                self._tell(StepAdvanced(tap.step, far))
        if not taps:
            self._stop.set()


@dataclass(slots=True)
class _Receiver:
    """One host's end: the pipe that its command reads, and what of the present piece it has not taken yet."""

    cancel: Event
    timeouts: Timeouts
    step: Run | None = None
    rest: memoryview = field(default_factory=lambda: memoryview(b""))
    trouble: Failure | None = None
    read: int = field(init=False)
    write: int = field(init=False)
    is_open: bool = True
    sent: int = 0
    _rate: Rate = field(default_factory=Rate)
    _reported: float = field(default_factory=monotonic)
    _left: bool = False

    def __post_init__(self) -> None:
        self.read, self.write = os.pipe()
        os.set_blocking(self.write, False)

    def take(self) -> None:
        try:
            taken = os.write(self.write, self.rest)
        except BlockingIOError:
            return
        except BrokenPipeError:  # its command has ended
            self.is_open = False
            return
        self.rest = self.rest[taken:]
        self.sent += taken

    def give_up(self) -> None:
        """For a host that has not taken a piece; its command may never end by itself."""
        fix = "does Docker hang there, or its disk? is the network to it up?"
        self.trouble = Failure(
            FailureKind.TIMEOUT, f"took next to nothing for {self.timeouts.image_piece:g} s", fix=fix
        )
        self.is_open = False
        self.cancel.set()

    def end(self, *, cut: bool) -> None:
        """No more comes. What was cut is not to be taken for the whole."""
        if cut:
            self.cancel.set()
        self.is_open = False
        os.close(self.write)

    def leave(self) -> None:
        """Nobody reads any more."""
        if not self._left:
            self._left = True
            os.close(self.read)

    def how_far(self, total: int, done: int) -> Progress | None:
        """What has gone to the host, now and then; None in between."""
        now = monotonic()
        if now < self._reported + self.timeouts.image_report:
            return None
        self._reported = now
        return Progress(done, total, self._rate.at(done, now))


class _Packer:
    """A program here that packs what goes out; `give` gets that, piece by piece."""

    def __init__(self, command: tuple[str, ...], give: Callable[[bytes], None]) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
        self._give, self._said = give, b""
        self._threads = [Thread(target=each, daemon=True) for each in (self._read, self._hear)]
        for thread in self._threads:
            thread.start()

    def take(self, piece: bytes) -> None:
        assert self._process.stdin  # noqa: S101 - a pipe
        rest = memoryview(piece)
        with suppress(BrokenPipeError):  # it has ended: `end` says why
            while rest:
                rest = rest[os.write(self._process.stdin.fileno(), rest) :]

    def end(self) -> Failure | None:
        """After the last piece, once all is given; why not all of it is, if so."""
        assert self._process.stdin  # noqa: S101 - a pipe
        self._process.stdin.close()
        for thread in self._threads:
            thread.join()
        code = self._process.wait()
        return Failure.of(exited(code, self._said.decode(errors="replace"))) if code else None

    def _read(self) -> None:
        assert self._process.stdout  # noqa: S101 - a pipe
        while piece := os.read(self._process.stdout.fileno(), PIECE):
            self._give(piece)

    def _hear(self) -> None:
        assert self._process.stderr  # noqa: S101 - a pipe
        self._said = self._process.stderr.read()[-4096:]


class _Also(Event):
    """Set by itself, or with another."""

    def __init__(self, other: Event) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        return super().is_set() or self._other.is_set()


def _ready(taps: list[_Receiver]) -> list[_Receiver]:
    """Those that can take something, or whose reader is gone; waits a little where none can."""
    poller = poll()
    for tap in taps:
        poller.register(tap.write, POLLOUT)
    ready = {descriptor for descriptor, _ in poller.poll(1000 * DEFAULT.poll)}
    return [tap for tap in taps if tap.write in ready]


def _why_dry(feed: Feed, end: Output | Failure) -> Failure | None:
    """Why the feed has ended before its end, if it has; one that was cancelled had nobody left to feed."""
    if isinstance(end, Output) or end.kind is FailureKind.CANCELLED:
        return None
    return replace(end, message=f"{feed.host} stopped sending it: {end.message}")


def why_hollow(feed: Feed, came: int) -> Failure | None:
    """Docker saves an image of which it has no layer, and calls that a success."""
    if not feed.if_hollow or came >= feed.size * LEAST:
        return None
    sent = f"{feed.host} sent {size(came)} of {size(feed.size)}"
    return Failure(FailureKind.EXIT, f"{sent}: it lacks layers of the image", fix=feed.if_hollow)


def _ignore(_: bytes) -> None:
    """A command's last words come with its end."""
