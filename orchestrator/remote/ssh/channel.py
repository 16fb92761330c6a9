"""One command on an open connection: fed, heard and waited for, all by the thread that asked."""

from contextlib import suppress
from dataclasses import dataclass
from select import POLLIN, poll
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

from orchestrator.remote.streams import InputSource
from orchestrator.remote.transport import Hear, PollableEvent

if TYPE_CHECKING:
    import paramiko

SLICE = 0.5  # seconds after which the clock and the cancel flag are looked at again
FULL = 0.01  # the same while the host's window is full: nothing wakes us when it opens
CHUNK = 1 << 20


class Deadline:
    """How long somebody waits: some seconds from now, or until told to stop."""

    def __init__(self, seconds: float, cancel: Event) -> None:
        self.seconds = seconds
        self.cancel = cancel
        self.deadline = monotonic() + seconds

    @property
    def over(self) -> bool:
        return self.cancel.is_set() or monotonic() >= self.deadline

    @property
    def wakes(self) -> tuple[int, ...]:
        """The file descriptor that becomes readable when one is told to stop, where there is one."""
        return (self.cancel.fileno(),) if isinstance(self.cancel, PollableEvent) else ()

    def slice(self, longest: float = SLICE) -> float:
        """A wait after which to look again."""
        return max(0.0, min(longest, self.deadline - monotonic()))


@dataclass
class ExecChannel:
    """A command and its three streams."""

    channel: "paramiko.Channel"
    stdin: InputSource
    on_stdout: Hear
    on_stderr: Hear

    def last(self, patience: Deadline) -> bool:
        """Until the command has ended: True. False where patience ended first."""
        while not self._said_all():
            if patience.over:
                return False
            self._await_something(patience, sent=self._feed())
            self._hear()
        while self._hear():
            pass
        return self._await_status(patience)

    def _said_all(self) -> bool:
        return bool(self.channel.eof_received) or self.channel.closed

    def _feed(self) -> bool:
        """Send what the host's window takes. True unless something is left over."""
        with suppress(OSError, EOFError):  # a command may end, and its channel close, without reading all
            return self.stdin.feed(self.channel)
        return True

    def _await_something(self, patience: Deadline, *, sent: bool) -> None:
        """Until the host speaks, there is more to send, or it is time to look again."""
        poller = poll()
        for descriptor in (self.channel.fileno(), *patience.wakes, *(self.stdin.waits_for if sent else ())):
            poller.register(descriptor, POLLIN)
        poller.poll(1000 * patience.slice(SLICE if sent else FULL))

    def _hear(self) -> bool:
        """Take some of what is there, but come back: a command may say more than we can ever hear.

        Asked each time rather than believing the poll, because paramiko's pipe can miss a beat when
        both streams speak at once.
        """
        out, err = self.channel.recv_ready(), self.channel.recv_stderr_ready()
        if out:
            self.on_stdout(self.channel.recv(CHUNK))
        if err:
            self.on_stderr(self.channel.recv_stderr(CHUNK))
        return out or err

    def _await_status(self, patience: Deadline) -> bool:
        """A command may close its output and go on, so the exit status has a wait of its own."""
        while not self.channel.status_event.wait(patience.slice()):
            if patience.over:
                return False
        return True
