"""A command's beginning on an open connection, and what its end means."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer
from typing import TYPE_CHECKING

from orchestrator.plan.command import Command
from orchestrator.remote.ssh.channel import Deadline
from orchestrator.remote.ssh.connection import Connection
from orchestrator.remote.ssh.errors import lost, out_of_patience, unanswered
from orchestrator.remote.transport import Failure, FailureError, FailureKind

if TYPE_CHECKING:
    import paramiko

NO_STATUS = -1  # paramiko's, for a command that ended by a signal
AGAIN = 0.05  # seconds after which a host that had no session to spare is asked again
LAST, LINES = 4096, 10  # of a command's last words


@contextmanager
def started(
    connection: Connection, command: Command, patience: Deadline, reply: float
) -> "Iterator[paramiko.Channel]":
    """The command's channel, once the host has accepted the command; `reply` seconds it has for that."""
    import paramiko  # noqa: PLC0415 - slow to import

    channel = None
    try:
        channel = _session(connection, Deadline(patience.slice(reply), patience.cancel))
        with _alarm(reply, channel.close):
            channel.exec_command(command.line())
    except (paramiko.SSHException, OSError, EOFError) as error:
        silent = channel is None and not isinstance(error, paramiko.ChannelException)
        raise FailureError(_not_started(connection, patience, error, silent=silent)) from error
    try:
        yield channel
    finally:
        with suppress(OSError, EOFError):
            _leave(channel)


def _leave(channel: "paramiko.Channel") -> None:
    """Closes it, but first takes it from the pipe behind `fileno`.

    Paramiko's thread writes to that pipe when data comes. Where `close` is just closing it, the write fails, and
    with it the connection; or it goes to whatever has the pipe's number by then.
    """
    for buffer in (channel.in_buffer, channel.in_stderr_buffer):
        buffer.set_event(Event())
    channel.close()


def _session(connection: Connection, patience: Deadline) -> "paramiko.Channel":
    """A session. sshd counts one for a moment longer than it lasts, and may allow fewer than we use."""
    import paramiko  # noqa: PLC0415 - slow to import

    while True:
        try:
            return connection.transport.open_session(timeout=max(patience.slice(patience.seconds), AGAIN))
        except paramiko.SSHException:  # a ChannelException, unless another thread has snatched it
            if patience.over or not connection.alive:
                raise
            patience.cancel.wait(AGAIN)


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


def _not_started(connection: Connection, patience: Deadline, error: Exception, *, silent: bool) -> Failure:
    if patience.over:
        return out_of_patience(patience)
    if not connection.alive:
        return lost(connection.host)
    if silent:
        return unanswered(connection.host)
    return Failure(
        FailureKind.UNREACHABLE,
        f"{connection.host.address} does not start the command",
        detail=str(error),
        fix="is the host overloaded, or its sshd's MaxSessions low?",
    )


def exit_code(connection: Connection, status: int, stderr: bytes | bytearray) -> int:
    """A status as an exit code; Refused where the command had none."""
    if status != NO_STATUS:
        return status
    # A connection that breaks ends its channels first and says so a moment later.
    connection.transport.join(2 * AGAIN)
    if not connection.alive:
        raise FailureError(lost(connection.host))
    raise FailureError(killed(stderr))


def killed(stderr: bytes | bytearray) -> Failure:
    """For a command that a signal ended, and that so has no exit code."""
    return Failure(
        FailureKind.EXIT,
        "the command was killed by a signal",
        detail=last_words(stderr),
        fix="was the host out of memory? try there: sudo dmesg | tail",
    )


def last_words(heard: bytes | bytearray) -> str:
    """The end of what a command said, for below a message."""
    return "\n".join(heard[-LAST:].decode(errors="replace").splitlines()[-LINES:])
