"""Commands over SSH: one connection for each host, opened by its first command."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock, Semaphore, Thread
from typing import TYPE_CHECKING

from orchestrator.model.cluster import Ssh
from orchestrator.plan.command import Command
from orchestrator.remote.ssh.config import route
from orchestrator.remote.ssh.connection import Connection, HandshakeSlot, connect
from orchestrator.remote.ssh.login_shell import (
    END,
    END_STDERR,
    MARK,
    MARK_STDERR,
    BetweenMarks,
    login_line,
    runs_no_commands,
)
from orchestrator.remote.ssh.paramiko_setup import import_fabric
from orchestrator.remote.ssh.session import ExecChannel, NoSessionError, exit_code, forward, started
from orchestrator.remote.streams import BaseTransport, Deadline, InputSource, Places, Tail, last_words, pump
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Failure, FailureError, FailureKind, Receive, Wire

if TYPE_CHECKING:
    import paramiko

CHANNELS = 8  # at once on a connection; sshd's MaxSessions is 10


class SshTransport(BaseTransport):
    """Runs commands on one host. Several threads may share it."""

    def __init__(
        self,
        host: str,
        ssh: Ssh,
        config: Path | None = None,
        *,
        alike: tuple[str, ...] = (),
        handshakes: Semaphore | None = None,
        places: Places | None = None,
        timeouts: Timeouts = DEFAULT,
    ) -> None:
        """`config` stands in for `~/.ssh/config`; `handshakes` limits those that are under way at once.

        `alike`: the hosts with the same `ssh`, which OpenSSH is asked about together.
        """
        super().__init__(timeouts, places)
        self._host = host
        self._ssh = ssh
        self._config = config
        self._alike = alike
        self._handshakes = handshakes
        self._channels = BoundedSemaphore(CHANNELS)
        self._lock = Lock()
        self._links: list[Link] = []
        self._most = CHANNELS  # sessions at once on a connection, as far as the host has allowed them
        self._closed = False
        self._login = self.warning = ""

    @property
    def login(self) -> str:
        if not self._login or self._most == CHANNELS:
            return self._login
        return (
            f"{self._login}; its sshd allows {self._most} at once (MaxSessions): further connections, slower"
        )

    def open(self, *, cancel: Event) -> Failure | None:
        try:
            self._connection(self._link(), cancel)
        except FailureError as refused:
            return refused.failure
        return None

    def connect(self, address: str, port: int, *, cancel: Event) -> Wire | Failure:
        try:
            with self._unless_closed():
                connection = self._connection(self._link(), cancel)
                try:
                    return forward(connection, address, port, self._ssh.connect_seconds)
                except FailureError:
                    if connection.alive:
                        raise
                # A connection that turns out to be lost: nothing was begun on it, so a new one will do.
                return forward(
                    self._connection(self._link(), cancel), address, port, self._ssh.connect_seconds
                )
        except FailureError as refused:
            return refused.failure

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for link in self._links:
                link.attempt.discard()

    def _exec(
        self,
        command: Command,
        stdin: InputSource,
        on_stdout: Receive,
        stderr: Tail,
        timeout: float,
        cancel: Event,
        *,
        to_the_end: bool,
    ) -> int:
        with self._unless_closed():
            self._connection(self._link(), cancel)
            deadline = Deadline(timeout, cancel, self.timeouts.poll)
            with (
                self._channel(deadline),
                self._session(command, deadline, to_the_end) as (connection, channel),
            ):
                out, err = (
                    BetweenMarks(on_stdout, MARK, END),
                    BetweenMarks(stderr.receive, MARK_STDERR, END_STDERR),
                )
                done = pump(
                    ExecChannel(channel), stdin, out.receive, err.receive, deadline, self.timeouts.window
                )
                for each in (out, err):
                    each.end()
                said = out.before + err.before
                if not done:
                    raise FailureError(deadline.failure(stderr.last_words if out.found else last_words(said)))
                code = exit_code(connection, channel.exit_status, stderr)
                if not out.found:
                    raise FailureError(runs_no_commands(connection.host, said, code))
                return code

    @contextmanager
    def _unless_closed(self) -> Iterator[None]:
        """Where the transport was closed meanwhile, that is the reason for whatever failed."""
        try:
            yield
        except FailureError as refused:
            if self._closed:
                raise self._closed_error() from refused
            raise

    def _closed_error(self) -> FailureError:
        return FailureError(Failure(FailureKind.CANCELLED, f"the connection to {self._host} was closed"))

    @contextmanager
    def _session(
        self, command: Command, deadline: Deadline, to_the_end: bool
    ) -> "Iterator[tuple[Connection, paramiko.Channel]]":
        """The command's channel, on a further connection where the host allows no further session on the others."""
        while True:
            link = self._link(enter=True)
            try:
                connection = self._connection(link, deadline.cancel)
                reply, is_shared = self._ssh.connect_seconds, link.is_shared
                line = login_line(command, to_the_end=to_the_end)
                with started(connection, line, deadline, reply, is_shared) as channel:
                    yield connection, channel
                    return
            except NoSessionError:
                with self._lock:
                    self._most = min(self._most, max(1, link.sessions - 1))
            finally:
                with self._lock:
                    link.sessions -= 1

    def _link(self, *, enter: bool = False) -> "Link":
        """A connection, new unless there is one: any, or to `enter` with one more session."""
        with self._lock:
            if self._closed:
                raise self._closed_error()
            for spoilt in [link for link in self._links if not link.attempt.worth_keeping]:
                self._drop(spoilt)
            free = (link for link in self._links if not enter or link.sessions < self._most)
            link = next(free, None) or Link(ConnectAttempt(self._connect, self._slot()))
            if link not in self._links:
                self._links.append(link)
            link.sessions += enter
            return link

    def _connection(self, link: "Link", cancel: Event) -> Connection:
        import_fabric()  # while the host answers
        opened = link.attempt.wait(self.timeouts.connect_grace, cancel)
        if opened is None:
            raise FailureError(self._gave_up(link, cancel))
        self._login, self.warning = opened.login, opened.warning
        return opened

    def _slot(self) -> HandshakeSlot:
        return HandshakeSlot(self._ssh.connect_seconds, self._handshakes, self.timeouts.poll)

    def _connect(self, slot: HandshakeSlot) -> Connection:
        try:
            hops = route(self._host, self._ssh, self._config, self._alike)
            return connect(hops, self._ssh.host_keys, slot, timeouts=self.timeouts)
        except FailureError:
            raise
        except Exception as error:  # what nobody foresaw is this host's trouble, and not the whole run's
            what = f"{self._host} cannot be connected to: {type(error).__name__}: {error}"
            raise FailureError(
                Failure(FailureKind.UNREACHABLE, what, fix=f"try: ssh {self._host}")
            ) from error

    def _drop(self, link: "Link") -> None:
        link.attempt.discard()
        self._links = [each for each in self._links if each is not link]

    def _gave_up(self, link: "Link", cancel: Event) -> Failure:
        if cancel.is_set():
            return Failure(FailureKind.CANCELLED, f"cancelled while connecting to {self._host}")
        with self._lock:
            self._drop(link)
        return Failure(
            FailureKind.UNREACHABLE,
            f"{self._host} cannot be connected to in {link.attempt.seconds:g} s",
            fix=f"do its name server and your ssh-agent answer? try: ssh {self._host}",
        )

    @contextmanager
    def _channel(self, deadline: Deadline) -> Iterator[None]:
        while not self._channels.acquire(timeout=deadline.slice()):
            if deadline.over:
                raise FailureError(deadline.failure(f"It waited for {CHANNELS} others there."))
        try:
            yield
        finally:
            self._channels.release()


@dataclass(eq=False)
class Link:
    """A connection to the host, and how many sessions are on it or are about to be."""

    attempt: "ConnectAttempt"
    sessions: int = 0

    def is_shared(self) -> bool:
        return self.sessions > 1


class ConnectAttempt:
    """A connection in the making, on a thread of its own: a name server, an agent or a host may never answer.

    Shared by all who want the connection.
    """

    def __init__(self, connect: Callable[[HandshakeSlot], Connection], slot: HandshakeSlot) -> None:
        self._future: Future[Connection] = Future()
        self._slot = slot
        Thread(target=self._run, args=(connect,), name="ssh-open", daemon=True).start()

    def _run(self, connect: Callable[[HandshakeSlot], Connection]) -> None:
        try:
            self._future.set_result(connect(self._slot))
        except BaseException as error:  # noqa: BLE001 - it is raised again where somebody waits
            self._future.set_exception(error)

    def wait(self, grace: float, cancel: Event) -> Connection | None:
        """The connection, or FailureError; None where the time was over first, by `grace`, or `cancel` was set."""
        while not self._future.done() and not cancel.is_set() and (left := self._slot.left(grace)) > 0:
            with suppress(TimeoutError):
                self._future.exception(min(left, DEFAULT.poll))
        # A connection that was made in time may be used for as long as it lasts.
        return self._future.result() if self._future.done() and not cancel.is_set() else None

    @property
    def seconds(self) -> float:
        return self._slot.seconds

    @property
    def worth_keeping(self) -> bool:
        """Another try makes no sense while this one lasts, works, or failed for good."""
        if not self._future.done():
            return True
        match self._future.exception():
            case None:
                return self._future.result().alive
            case FailureError(failure=failure):
                return failure.kind is not FailureKind.UNREACHABLE
        return False

    def discard(self) -> None:
        """Close the connection, or see that it is closed should it still come."""
        self._slot.refuse()
        self._future.add_done_callback(_close)


def _close(future: Future[Connection]) -> None:
    if not future.exception():
        future.result().close()
