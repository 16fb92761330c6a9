"""One command, or one forwarded port, on an open connection."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event
from typing import TYPE_CHECKING

from orchestrator.remote.ssh.connection import Connection
from orchestrator.remote.ssh.errors import FORBIDDEN, lost, unanswered
from orchestrator.remote.ssh.paramiko_setup import leave
from orchestrator.remote.streams import Deadline, Tail, killed
from orchestrator.remote.transport import Failure, FailureError, FailureKind, Receive, Wire

if TYPE_CHECKING:
    import paramiko

CHUNK = 1 << 20
NO_STATUS = -1  # paramiko's, for a command that ended by a signal
LOSS_SHOWS = 0.1  # seconds after which a connection that breaks says so: its channels end first
NOBODY = ("127.0.0.1", 0)  # on whose behalf: sshd notes it, and makes nothing of it


class ExecChannel:
    """A command's channel, as an Endpoint."""

    writes = ()  # nothing tells when the host's window opens

    def __init__(self, channel: "paramiko.Channel") -> None:
        self._channel = channel
        self.reads = (channel.fileno(),)
        self.send_ready, self.send = channel.send_ready, channel.send
        self.shutdown_write = channel.shutdown_write

    @property
    def output_ended(self) -> bool:
        return bool(self._channel.eof_received) or self._channel.closed

    @property
    def eof_sent(self) -> int:
        return self._channel.eof_sent

    def receive(self, on_stdout: Receive, on_stderr: Receive) -> bool:
        """Asked each time rather than believing the poll: paramiko's pipe can miss a beat when both streams speak."""
        out, err = self._channel.recv_ready(), self._channel.recv_stderr_ready()
        if out:
            on_stdout(self._channel.recv(CHUNK))
        if err:
            on_stderr(self._channel.recv_stderr(CHUNK))
        return out or err

    def wait_exit(self, seconds: float) -> bool:
        return self._channel.status_event.wait(seconds)


class Reply(Event):
    """A host's reply, for which paramiko waits: by itself without end, and the host may never accept the command."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def wait(self, timeout: float | None = None) -> bool:
        """Within its seconds, or TimeoutError."""
        if not super().wait(self._seconds if timeout is None else timeout):
            raise TimeoutError(f"no reply within {self._seconds:g} s")
        return True


class NoSessionError(Exception):
    """A connection that others have sessions on, and on which the host allows no further one (MaxSessions)."""


@contextmanager
def started(
    connection: Connection,
    line: str,
    deadline: Deadline,
    reply: float,
    is_shared: Callable[[], bool] = lambda: False,
) -> "Iterator[paramiko.Channel]":
    """The channel of a command's line, once the host has accepted it; `reply` seconds it has for that.

    NoSessionError where the host refuses the session and it `is_shared`: others have sessions on the connection.
    """
    import paramiko  # noqa: PLC0415 - slow to import

    channel = None
    try:
        channel = _session(connection, Deadline(min(reply, deadline.left), deadline.cancel), is_shared)
        connection.had_session = True
        channel.update_environment(dict(connection.host.environment))
        channel.event = Reply(reply)
        channel.exec_command(line)
    except (paramiko.SSHException, OSError, EOFError) as error:
        silent = channel is None and not isinstance(error, paramiko.ChannelException)
        if channel is not None:
            _end(channel)
        refused = channel is not None and not isinstance(error, TimeoutError)
        failure = _not_started(connection, deadline, error, silent=silent, refused=refused)
        raise FailureError(failure) from error
    try:
        yield channel
    finally:
        _end(channel)


def _end(channel: "paramiko.Channel") -> None:
    with suppress(OSError, EOFError):
        leave(channel)


def _session(connection: Connection, deadline: Deadline, is_shared: Callable[[], bool]) -> "paramiko.Channel":
    """A session. sshd counts one for a moment longer than it lasts, and may allow fewer than we use."""
    import paramiko  # noqa: PLC0415 - slow to import

    again = connection.timeouts.session_retry
    moment = Deadline(connection.timeouts.session_wait, deadline.cancel)
    while True:
        try:
            return connection.transport.open_session(timeout=max(deadline.left, again))
        except paramiko.SSHException as error:  # a ChannelException, unless another thread has snatched it
            if deadline.over or not connection.alive or _allows_none(connection, error, is_shared):
                raise
            if moment.over and is_shared():
                raise NoSessionError from error
            deadline.cancel.wait(again)


def _allows_none(
    connection: Connection, error: Exception, is_shared: Callable[[], bool] = lambda: False
) -> bool:
    """Whether a session was refused where there is and was no other."""
    import paramiko  # noqa: PLC0415 - slow to import

    alone = not connection.had_session and not is_shared()
    return alone and isinstance(error, paramiko.ChannelException)


def _not_started(
    connection: Connection, deadline: Deadline, error: Exception, *, silent: bool, refused: bool
) -> Failure:
    if deadline.over:
        return deadline.failure()
    if not connection.alive:
        return lost(connection.host, connection.last_words)
    if silent:
        return unanswered(connection.host)
    if _allows_none(connection, error):
        what = f"{connection.host.login} may log in, but is allowed no session there"
        fix = "MaxSessions 0 in its sshd_config, perhaps below a Match? let that say: MaxSessions 10"
        return Failure(FailureKind.UNREACHABLE, what, fix=fix)
    alone = f"does it run commands at all? try: {connection.host.by_hand()} date"
    return Failure(
        FailureKind.UNREACHABLE,
        f"{connection.host.address} does not start the command",
        detail="" if refused else str(error),
        fix=alone if refused else "is the host overloaded, or its sshd's MaxSessions low?",
    )


def exit_code(connection: Connection, status: int, stderr: Tail) -> int:
    """A status as an exit code; FailureError where the command had none."""
    if status != NO_STATUS:
        return status
    # A connection that breaks ends its channels first and says so a moment later.
    connection.transport.join(LOSS_SHOWS)
    if not connection.alive:
        raise FailureError(lost(connection.host, connection.last_words))
    raise killed(stderr)


def forward(connection: Connection, address: str, port: int, seconds: float) -> Wire:
    """A TCP connection that the host makes for us, as for `ssh -L`, within `seconds`; or FailureError."""
    import paramiko  # noqa: PLC0415 - slow to import

    try:
        return connection.transport.open_channel("direct-tcpip", (address, port), NOBODY, timeout=seconds)
    except paramiko.ChannelException as refusal:
        raise FailureError(_refused(connection, address, port, refusal)) from refusal
    except (paramiko.SSHException, OSError, EOFError) as error:
        connection.transport.join(LOSS_SHOWS)
        raise FailureError(
            unanswered(connection.host) if connection.alive else lost(connection.host, connection.last_words)
        ) from error


def _refused(
    connection: Connection, address: str, port: int, refusal: "paramiko.ChannelException"
) -> Failure:
    host = connection.host.address
    if refusal.code == FORBIDDEN:
        fix = "allow it in its sshd_config: AllowTcpForwarding local, and no DisableForwarding"
        return Failure(FailureKind.UNREACHABLE, f"the SSH server of {host} forbids tunnels", fix=fix)
    return Failure(FailureKind.UNREACHABLE, f"nothing answers at {address}:{port} on {host}")
