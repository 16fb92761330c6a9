"""Commands over SSH: one connection for each host, opened by its first command."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock, Timer
from time import monotonic
from typing import TYPE_CHECKING

from orchestrator.model.cluster import Ssh
from orchestrator.plan.command import Command
from orchestrator.remote.channel import NO_STATUS, Conversation, Hear, Lines, Patience
from orchestrator.remote.connection import Connection, connect, import_fabric
from orchestrator.remote.explain import last_lines, lost, shown
from orchestrator.remote.opening import Opening
from orchestrator.remote.refused import Refused
from orchestrator.remote.sshconfig import route
from orchestrator.remote.transport import Failure, FailureKind, Output

if TYPE_CHECKING:
    import paramiko

CHANNELS = 8  # at once on a connection; sshd's MaxSessions is 10
GRACE = 0.5  # seconds beyond its time after which an opening connection is left to itself


class SshTransport:
    """Runs commands on one host. Several threads may share it."""

    def __init__(self, host: str, ssh: Ssh, config: Path | None = None) -> None:
        """`config` stands in for `~/.ssh/config`."""
        self._host = host
        self._ssh = ssh
        self._config = config
        self._slots = BoundedSemaphore(CHANNELS)
        self._lock = Lock()
        self._opening: Opening | None = None
        self._closed = False

    def run(self, command: Command, *, timeout: float, cancel: Event) -> Output | Failure:
        stdout, stderr = bytearray(), bytearray()
        ended = self._do(command, stdout.extend, stderr, hold_open=False, timeout=timeout, cancel=cancel)
        return ended if isinstance(ended, Failure) else Output(ended, _text(stdout), _text(stderr))

    def stream(
        self, command: Command, tell: Callable[[str], None], *, timeout: float, cancel: Event
    ) -> Output | Failure:
        lines, stderr = Lines(tell), bytearray()
        ended = self._do(command, lines.hear, stderr, hold_open=True, timeout=timeout, cancel=cancel)
        lines.end()
        return ended if isinstance(ended, Failure) else Output(ended, stderr=_text(stderr))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._opening:
                self._opening.discard()

    def _do(
        self,
        command: Command,
        hear: Hear,
        stderr: bytearray,
        *,
        hold_open: bool,
        timeout: float,
        cancel: Event,
    ) -> int | Failure:
        """The exit code of a command that ran to its end."""
        try:
            connection = self._connection(cancel)
            patience = Patience(timeout, cancel)
            with self._slot(command, patience), self._started(connection, command, patience) as channel:
                talk = Conversation(channel, command.input(), hold_open, hear, stderr.extend)
                if not talk.last(patience):
                    return _impatient(command, patience, last_lines(stderr))
                return self._outcome(connection, command, channel.exit_status, stderr)
        except Refused as refused:
            return refused.failure

    def _connection(self, cancel: Event) -> Connection:
        import_fabric()
        patience = Patience(self._ssh.connect_timeout + GRACE, cancel)
        opening = self._current()
        match opening.wait(patience):
            case Connection() as connection:
                return connection
            case Failure() as failure:
                raise Refused(failure)
        raise Refused(self._gave_up(opening, cancel))

    def _current(self) -> Opening:
        with self._lock:
            if self._closed:
                raise Refused(Failure(FailureKind.CANCELLED, f"the connection to {self._host} was closed"))
            if self._opening is None or not self._opening.worth_keeping:
                self._forget()
                self._opening = Opening(self._connect)
            return self._opening

    def _connect(self) -> Connection:
        deadline = monotonic() + self._ssh.connect_timeout
        return connect(route(self._host, self._ssh, self._config), self._ssh.host_keys, deadline)

    def _forget(self) -> None:
        if self._opening:
            self._opening.discard()
            self._opening = None

    def _gave_up(self, opening: Opening, cancel: Event) -> Failure:
        if cancel.is_set():
            return Failure(FailureKind.CANCELLED, f"cancelled while connecting to {self._host}")
        with self._lock:
            if self._opening is opening:
                self._forget()
        return Failure(
            FailureKind.UNREACHABLE,
            f"{self._host} cannot be connected to in {self._ssh.connect_timeout:g} s",
            fix=f"do its name server and your ssh-agent answer? try: ssh {self._host}",
        )

    @contextmanager
    def _slot(self, command: Command, patience: Patience) -> Iterator[None]:
        while not self._slots.acquire(timeout=patience.slice()):
            if patience.over:
                raise Refused(_impatient(command, patience, f"waited for {CHANNELS} others on {self._host}"))
        try:
            yield
        finally:
            self._slots.release()

    @contextmanager
    def _started(
        self, connection: Connection, command: Command, patience: Patience
    ) -> "Iterator[paramiko.Channel]":
        import paramiko  # noqa: PLC0415 - slow to import

        wait = max(patience.slice(self._ssh.connect_timeout), 0.001)
        try:
            channel = connection.transport.open_session(timeout=wait)
            with _alarm(wait, channel.close):
                channel.exec_command(command.line())
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise Refused(self._not_started(connection, command, error)) from error
        try:
            yield channel
        finally:
            channel.close()

    def _not_started(self, connection: Connection, command: Command, error: Exception) -> Failure:
        if not connection.alive:
            return self._lost(connection, command)
        return Failure(
            FailureKind.UNREACHABLE,
            f"{connection.host.address} does not start {shown(command)}",
            detail=str(error),
            fix=f"is the host overloaded, or its sshd's MaxSessions below {CHANNELS}? try: ssh {self._host}",
        )

    def _outcome(
        self, connection: Connection, command: Command, status: int, stderr: bytearray
    ) -> int | Failure:
        if status != NO_STATUS:
            return status
        # A connection that breaks ends its channels first and says so a moment later.
        connection.transport.join(0.1)
        if not connection.alive:
            return self._lost(connection, command)
        return Failure(
            FailureKind.EXIT,
            f"{shown(command)} was killed by a signal on {self._host}",
            detail=last_lines(stderr),
            fix="was the host out of memory? try: sudo dmesg | tail",
        )

    def _lost(self, connection: Connection, command: Command) -> Failure:
        if self._closed:
            return Failure(FailureKind.CANCELLED, f"the connection to {self._host} was closed")
        return lost(connection.host, command)


@contextmanager
def _alarm(seconds: float, ring: Callable[[], None]) -> Iterator[None]:
    """For a host that never accepts the command: paramiko alone would wait for it without end."""
    timer = Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _impatient(command: Command, patience: Patience, detail: str) -> Failure:
    if patience.cancel.is_set():
        return Failure(FailureKind.CANCELLED, f"cancelled: {shown(command)}", detail=detail)
    return Failure(
        FailureKind.TIMEOUT, f"no end after {patience.seconds:g} s: {shown(command)}", detail=detail
    )


def _text(heard: bytearray) -> str:
    return heard.decode(errors="replace")
