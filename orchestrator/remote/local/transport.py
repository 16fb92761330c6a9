"""Commands on this machine itself, as a login over SSH would run them, but without one."""

import os
import pwd
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from orchestrator.plan.command import Command
from orchestrator.remote.local.process import ProcessStreams
from orchestrator.remote.ssh.channel import Deadline
from orchestrator.remote.ssh.errors import out_of_patience
from orchestrator.remote.ssh.session import killed, last_words
from orchestrator.remote.streams import BaseTransport, InputSource, Tail
from orchestrator.remote.transport import Failure, FailureError, FailureKind, Hear, Wire

# A shell that becomes the command: one that is not there is exit code 127 and the shell's words, as over SSH.
SHELL = ("sh", "-c", 'exec "$@"', "sh")
INHERITED = ("LANG", "PATH", "XDG_RUNTIME_DIR")
DOCKER = "DOCKER_"
HERE = 5.0  # seconds that a port of this machine has to take a call


class LocalTransport(BaseTransport):
    """Runs commands on this machine. Several threads may share it."""

    login = "local, no SSH needed"

    def __init__(self) -> None:
        self._closed = Event()

    def close(self) -> None:
        self._closed.set()

    def call(self, *, cancel: Event) -> None:
        """It is here."""

    def connect(self, address: str, port: int, *, cancel: Event) -> Wire | Failure:  # noqa: ARG002 - no time for it
        try:
            wire = socket.create_connection((address, port), HERE)
        except OSError as error:
            return Failure(FailureKind.UNREACHABLE, f"nothing answers at {address}:{port} here: {error}")
        wire.settimeout(None)
        return wire

    def _exec(
        self, command: Command, stdin: InputSource, hear: Hear, stderr: Tail, timeout: float, cancel: Event
    ) -> int | Failure:
        patience = _Patience(timeout, cancel, self._closed)
        try:
            with _started(command, patience) as process:
                if not ProcessStreams(process, stdin, hear, stderr.hear).last(patience):
                    return patience.failure(last_words(stderr.heard))
                return killed(stderr.heard) if process.returncode < 0 else process.returncode
        except FailureError as refused:
            return refused.failure


class _Patience(Deadline):
    """One that ends with the transport, too."""

    def __init__(self, seconds: float, cancel: Event, closed: Event) -> None:
        super().__init__(seconds, cancel)
        self._closed = closed

    @property
    def over(self) -> bool:
        return self._closed.is_set() or super().over

    def failure(self, detail: str = "") -> Failure:
        if self._closed.is_set():
            return Failure(FailureKind.CANCELLED, "the run is over", detail=detail)
        return out_of_patience(self, detail)


@contextmanager
def _started(command: Command, patience: _Patience) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own: the terminal's Ctrl-C is for us, who decide what becomes of it."""
    if patience.over:
        raise FailureError(patience.failure())
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
        told = f"this machine does not start the command: {error.strerror}"
        raise FailureError(Failure(FailureKind.UNREACHABLE, told)) from error
    try:
        yield process
    finally:
        _leave(process)


def _leave(process: subprocess.Popen[bytes]) -> None:
    """As sshd leaves it: if it goes on, its input ends, and nobody hears it."""
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
