"""A connection in the making, on a thread of its own so that nobody has to wait for it to the end."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread

from orchestrator.remote.ssh.channel import Deadline
from orchestrator.remote.ssh.connection import Connection, Turn, Wait
from orchestrator.remote.transport import Failure, FailureError, FailureKind

Opened = Connection | Failure


class ConnectAttempt:
    """Shared by all who want the connection. A name server, an agent or a host may never answer."""

    def __init__(self, connect: Callable[[Wait], Connection]) -> None:
        self._future: Future[Opened] = Future()
        self._turn = Turn()
        self._future.add_done_callback(lambda _: self._turn.called.set())
        Thread(target=self._run, args=(connect,), name="ssh-open", daemon=True).start()

    def _run(self, connect: Callable[[Wait], Connection]) -> None:
        try:
            self._future.set_result(connect(self._turn.wait))
        except FailureError as refused:
            self._future.set_result(refused.failure)
        except BaseException as error:  # noqa: BLE001 - it is raised again where somebody waits
            self._future.set_exception(error)

    def call(self, patience: Deadline) -> bool:
        """Until the host has answered the call, or will not: True. False where patience ended first."""
        while not patience.over and not self._turn.called.wait(patience.slice()):
            continue
        return self._turn.called.is_set()

    @property
    def failure(self) -> Failure | None:
        """Why there will be no connection, where that is known by now."""
        opened = self._future.result() if self._future.done() and not self._future.exception() else None
        return opened if isinstance(opened, Failure) else None

    def wait(self, patience: Deadline) -> Opened | None:
        """The connection or what became of it; None where patience ended first."""
        if not patience.over:
            self._turn.give()
        while not patience.over:
            try:
                return self._future.result(patience.slice())
            except TimeoutError:
                continue
        return None

    @property
    def worth_keeping(self) -> bool:
        """Another try makes no sense while this one lasts, works, or failed for good."""
        if not self._future.done() or self._future.exception():
            return not self._future.done()
        match self._future.result():
            case Failure(kind):
                return kind is not FailureKind.UNREACHABLE
            case connection:
                return connection.alive

    def discard(self) -> None:
        """Close the connection, or see that it is closed should it still come."""
        self._turn.refuse()
        self._future.add_done_callback(_close)


def _close(future: Future[Opened]) -> None:
    if not future.exception():
        opened = future.result()
        if isinstance(opened, Connection):
            opened.close()
