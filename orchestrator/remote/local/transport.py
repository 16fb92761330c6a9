"""Commands on this machine itself, as a login over SSH would run them, but without one."""

import os
import pwd
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from orchestrator.plan.command import Command
from orchestrator.remote.streams import (
    CHUNK,
    BaseTransport,
    Deadline,
    InputSource,
    Places,
    Tail,
    can_write,
    killed,
    pump,
)
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Failure, FailureError, FailureKind, Receive, Wire

# A shell that becomes the command: one that is not there is exit code 127 and the shell's words, as over SSH.
SHELL = ("sh", "-c", 'exec "$@"', "sh")
INHERITED = ("LANG", "PATH", "XDG_RUNTIME_DIR")
DOCKER = "DOCKER_"


class LocalTransport(BaseTransport):
    """Runs commands on this machine. Several threads may share it."""

    login = "local, no SSH needed"
    warning = ""

    def __init__(self, timeouts: Timeouts = DEFAULT, places: Places | None = None) -> None:
        super().__init__(timeouts, places)
        self._closed = Event()

    def close(self) -> None:
        self._closed.set()

    def open(self, *, cancel: Event) -> None:
        """Nothing to connect."""

    def connect(self, address: str, port: int, *, cancel: Event) -> Wire | Failure:  # noqa: ARG002 - no time for it
        try:
            wire = socket.create_connection((address, port), self.timeouts.local_port)
        except OSError as error:
            return Failure(FailureKind.UNREACHABLE, f"nothing answers at {address}:{port} here: {error}")
        wire.settimeout(None)
        return wire

    def _exec(
        self,
        command: Command,
        stdin: InputSource,
        on_stdout: Receive,
        stderr: Tail,
        timeout: float,
        cancel: Event,
        *,
        to_the_end: bool,  # noqa: ARG002 - without a login shell nobody else speaks
    ) -> int:
        deadline = _Deadline(timeout, cancel, self._closed, self.timeouts.poll)
        with _started(command, deadline) as process:
            if not pump(_Process(process), stdin, on_stdout, stderr.receive, deadline):
                raise FailureError(deadline.failure(stderr.last_words))
            if process.returncode < 0:
                raise killed(stderr)
            return process.returncode


class _Deadline(Deadline):
    """One that ends with the transport, too."""

    def __init__(self, seconds: float, cancel: Event, closed: Event, poll: float) -> None:
        super().__init__(seconds, cancel, poll)
        self._closed = closed

    @property
    def over(self) -> bool:
        return self._closed.is_set() or super().over

    def failure(self, detail: str = "") -> Failure:
        if self._closed.is_set():
            return Failure(FailureKind.CANCELLED, "the run is over", detail=detail)
        return super().failure(detail)


class _Process:
    """A process that was started with a pipe for each stream, as an Endpoint."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018
        self._process, self._stdin = process, process.stdin
        self._stdout, self._stderr = process.stdout.fileno(), process.stderr.fileno()
        self.reads: tuple[int, ...] = (self._stdout, self._stderr)
        for descriptor in (self._stdin.fileno(), *self.reads):
            os.set_blocking(descriptor, False)

    @property
    def writes(self) -> tuple[int, ...]:
        return () if self.eof_sent else (self._stdin.fileno(),)

    @property
    def output_ended(self) -> bool:
        return not self.reads

    @property
    def eof_sent(self) -> int:
        return self._stdin.closed

    def send_ready(self) -> bool:
        return can_write(self._stdin.fileno())

    def send(self, data: bytes, /) -> int:
        return os.write(self._stdin.fileno(), data)

    def shutdown_write(self) -> None:
        self._stdin.close()

    def receive(self, on_stdout: Receive, on_stderr: Receive) -> bool:
        received = False
        for descriptor in self.reads:
            with suppress(BlockingIOError):
                if data := os.read(descriptor, CHUNK):
                    received = True
                    (on_stdout if descriptor == self._stdout else on_stderr)(data)
                else:
                    self.reads = tuple(each for each in self.reads if each != descriptor)
        return received

    def wait_exit(self, seconds: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            return True
        return False


@contextmanager
def _started(command: Command, deadline: Deadline) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own: the terminal's Ctrl-C is for us, who decide what becomes of it."""
    if deadline.over:
        raise FailureError(deadline.failure())
    environment = _environment()
    home = Path(environment["HOME"])
    try:
        process = subprocess.Popen(
            (*SHELL, *command.argv),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=home if home.is_dir() else "/",
            start_new_session=True,
        )
    except OSError as error:
        message = f"this machine does not start the command: {error.strerror}"
        raise FailureError(Failure(FailureKind.UNREACHABLE, message)) from error
    try:
        yield process
    finally:
        _leave(process)


def _leave(process: subprocess.Popen[bytes]) -> None:
    """As sshd does: if it goes on, its input ends, and nobody reads what it prints."""
    for stream in filter(None, (process.stdin, process.stdout, process.stderr)):
        stream.close()
    if process.poll() is None:
        Thread(target=process.wait, name="left", daemon=True).start()


def _environment() -> dict[str, str]:
    """What a login has, and how this user's Docker is found.

    Nothing else of ours goes along: `docker run -e NAME` is to mean the same here as over SSH.
    """
    user = pwd.getpwuid(os.geteuid())
    ours = {name: value for name, value in os.environ.items() if name in INHERITED or name.startswith(DOCKER)}
    return ours | {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name, "SHELL": user.pw_shell}
