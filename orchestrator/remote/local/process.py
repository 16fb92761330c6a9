"""A process of this machine: fed, heard and waited for, all by the thread that asked."""

import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from select import POLLIN, POLLOUT, poll
from typing import IO

from orchestrator.remote.ssh.channel import CHUNK, Deadline
from orchestrator.remote.streams import InputSource
from orchestrator.remote.transport import Hear


class ProcessStreams:
    """A process and its three streams: here what a `ExecChannel` is over SSH."""

    def __init__(
        self, process: subprocess.Popen[bytes], stdin: InputSource, on_stdout: Hear, on_stderr: Hear
    ) -> None:
        """The process was started with a pipe for each stream."""
        assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018
        self._process = process
        self._stdin, self._inlet = stdin, _Inlet(process.stdin)
        self._outlets = {process.stdout.fileno(): on_stdout, process.stderr.fileno(): on_stderr}

    def last(self, patience: Deadline) -> bool:
        """Until the command has ended: True. False where patience ended first."""
        while self._outlets:
            if patience.over:
                return False
            self._hear(self._await_something(patience, sent=self._feed()))
        return self._await_exit(patience)

    def _feed(self) -> bool:
        """Send what the pipe takes. True unless something is left over."""
        try:
            return self._inlet.is_deaf or self._stdin.feed(self._inlet)
        except BrokenPipeError:  # a command may end, or close its input, without reading all
            self._inlet.is_deaf = True
            return True

    def _await_something(self, patience: Deadline, *, sent: bool) -> list[int]:
        """Until the command speaks, there is more to send, or it is time to look again."""
        sources = self._stdin.waits_for if sent and not self._inlet.is_deaf else ()
        inlets = () if sent else (self._inlet.fileno(),)
        return _ready((*self._outlets, *sources), inlets, patience.slice())

    def _hear(self, ready: Iterable[int]) -> None:
        for stream in self._outlets.keys() & ready:
            if heard := os.read(stream, CHUNK):
                self._outlets[stream](heard)
            else:
                del self._outlets[stream]

    def _await_exit(self, patience: Deadline) -> bool:
        """A command may close its output and go on, so its exit has a wait of its own."""
        while not patience.over:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience.slice())
                return True
        return False


@dataclass
class _Inlet:
    """A process's standard input. `is_deaf`: nobody reads it any more."""

    pipe: IO[bytes]
    eof_sent: bool = field(default=False, init=False)
    is_deaf: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        os.set_blocking(self.fileno(), False)

    def fileno(self) -> int:
        return self.pipe.fileno()

    def send_ready(self) -> bool:
        return bool(_ready((), (self.fileno(),), 0))

    def send(self, data: bytes, /) -> int:
        return os.write(self.fileno(), data)

    def shutdown_write(self) -> None:
        self.eof_sent = True
        self.pipe.close()


def _ready(reading: Iterable[int], writing: Iterable[int], seconds: float) -> list[int]:
    """The file descriptors that can be read, written, or have ended, after `seconds` at most."""
    poller = poll()
    for descriptors, wish in ((reading, POLLIN), (writing, POLLOUT)):
        for descriptor in descriptors:
            poller.register(descriptor, wish)
    return [descriptor for descriptor, _ in poller.poll(1000 * seconds)]
