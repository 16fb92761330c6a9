"""Commands over SSH: one connection for each host, opened by its first command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock
from time import monotonic

from orchestrator.model.cluster import Ssh
from orchestrator.plan.command import Command
from orchestrator.remote.ssh.channel import Deadline, ExecChannel
from orchestrator.remote.ssh.config import route
from orchestrator.remote.ssh.connecting import ConnectAttempt
from orchestrator.remote.ssh.connection import Connection, Wait, connect
from orchestrator.remote.ssh.errors import out_of_patience
from orchestrator.remote.ssh.forward import wire
from orchestrator.remote.ssh.paramiko_setup import import_fabric
from orchestrator.remote.ssh.session import exit_code, last_words, started
from orchestrator.remote.streams import BaseTransport, InputSource, Tail
from orchestrator.remote.transport import Failure, FailureError, FailureKind, Hear, Wire

CHANNELS = 8  # at once on a connection; sshd's MaxSessions is 10
GRACE = 0.5  # seconds beyond its time after which an opening connection is left to itself


class SshTransport(BaseTransport):
    """Runs commands on one host. Several threads may share it."""

    def __init__(self, host: str, ssh: Ssh, config: Path | None = None) -> None:
        """`config` stands in for `~/.ssh/config`."""
        self._host = host
        self._ssh = ssh
        self._config = config
        self._slots = BoundedSemaphore(CHANNELS)
        self._lock = Lock()
        self._opening: ConnectAttempt | None = None
        self._closed = False
        self.login = ""

    def call(self, *, cancel: Event) -> Failure | None:
        try:
            opening = self._current()
        except FailureError as refused:
            return refused.failure
        import_fabric()  # while the host takes the call
        if not opening.call(Deadline(self._ssh.connect_timeout + GRACE, cancel)):
            return self._gave_up(opening, cancel)
        return opening.failure

    def connect(self, address: str, port: int, *, cancel: Event) -> Wire | Failure:
        try:
            return self._wire(address, port, cancel)
        except FailureError as refused:
            return self._closed_failure() if self._closed else refused.failure

    def _wire(self, address: str, port: int, cancel: Event) -> Wire:
        """Of a new connection where the old one turns out to be lost: nothing was begun on it."""
        connection = self._connection(cancel)
        try:
            return wire(connection, address, port, self._ssh.connect_timeout)
        except FailureError:
            if connection.alive:
                raise
        return wire(self._connection(cancel), address, port, self._ssh.connect_timeout)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._opening:
                self._opening.discard()

    def _exec(
        self, command: Command, stdin: InputSource, hear: Hear, stderr: Tail, timeout: float, cancel: Event
    ) -> int | Failure:
        try:
            connection = self._connection(cancel)
            patience = Deadline(timeout, cancel)
            with (
                self._slot(patience),
                started(connection, command, patience, self._ssh.connect_timeout) as channel,
            ):
                talk = ExecChannel(channel, stdin, hear, stderr.hear)
                if not talk.last(patience):
                    return out_of_patience(patience, last_words(stderr.heard))
                return exit_code(connection, channel.exit_status, stderr.heard)
        except FailureError as refused:
            return self._closed_failure() if self._closed else refused.failure

    def _closed_failure(self) -> Failure:
        return Failure(FailureKind.CANCELLED, f"the connection to {self._host} was closed")

    def _connection(self, cancel: Event) -> Connection:
        opening = self._current()
        import_fabric()
        patience = Deadline(self._ssh.connect_timeout + GRACE, cancel)
        match opening.wait(patience):
            case Connection() as connection:
                self.login = connection.login
                return connection
            case Failure() as failure:
                raise FailureError(failure)
        raise FailureError(self._gave_up(opening, cancel))

    def _current(self) -> ConnectAttempt:
        with self._lock:
            if self._closed:
                raise FailureError(self._closed_failure())
            if self._opening is None or not self._opening.worth_keeping:
                self._forget()
                self._opening = ConnectAttempt(self._connect)
            return self._opening

    def _connect(self, turn: Wait) -> Connection:
        deadline = monotonic() + self._ssh.connect_timeout
        hops = route(self._host, self._ssh, self._config)
        return connect(hops, self._ssh.host_keys, deadline, turn=turn)

    def _forget(self) -> None:
        if self._opening:
            self._opening.discard()
            self._opening = None

    def _gave_up(self, opening: ConnectAttempt, cancel: Event) -> Failure:
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
    def _slot(self, patience: Deadline) -> Iterator[None]:
        while not self._slots.acquire(timeout=patience.slice()):
            if patience.over:
                raise FailureError(out_of_patience(patience, f"It waited for {CHANNELS} others there."))
        try:
            yield
        finally:
            self._slots.release()
