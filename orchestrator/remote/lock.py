"""Holds the cluster's lock for as long as a run lasts, by a command on the head that ends with us."""

import getpass
import math
import socket
from collections.abc import Callable
from threading import Condition, Event, Thread
from typing import Self

from orchestrator.plan import lock
from orchestrator.plan.command import Command
from orchestrator.plan.lock import Holder
from orchestrator.remote.transport import Failure, FailureKind, Output, Transport

ASK_SECONDS = 20.0


class Lock:
    """The lock, from `take` to `free`.

    `lost` is called, with the reason, should it end before that: whoever holds it must stop, for another
    may have it now.
    """

    def __init__(self, via: Transport, command: Command, lost: Callable[[str], None]) -> None:
        self._via, self._command, self._lost = via, command, lost
        self._changed, self._over = Condition(), Event()
        self._told: list[str] = []
        self._ended: Output | Failure | None = None
        self._thread = Thread(target=self._keep, name="lock", daemon=True)

    def take(self, cancel: Event) -> Self | Holder | Failure:
        """The lock, or who has it, or why nobody can tell."""
        self._thread.start()
        with self._changed:
            while not (self._held or self._ended or cancel.is_set()):
                self._changed.wait(0.2)
            if not self._held:
                self._over.set()
        match self._ended:
            case None if self._held:
                return self
            case Output(lock.TAKEN):
                return lock.parse("\n".join(self._told)) or Holder("somebody", "a command", 0.0, 0)
            case Failure() as failure:
                return failure
            case ended:
                return _not_lockable(ended)

    def free(self) -> None:
        self._over.set()
        self._thread.join()

    @property
    def _held(self) -> bool:
        return lock.HELD in self._told

    def _keep(self) -> None:
        ended = self._via.stream(self._command, self._hear, timeout=math.inf, cancel=self._over)
        with self._changed:
            self._ended = ended
            self._changed.notify_all()
        if self._held and not self._over.is_set():
            self._lost(ended.message if isinstance(ended, Failure) else "somebody else has released it")

    def _hear(self, line: str) -> None:
        with self._changed:
            self._told.append(line)
            self._changed.notify_all()


def _not_lockable(ended: Output | None) -> Failure:
    if ended is None:
        return Failure(FailureKind.CANCELLED, "interrupted")
    return Failure(
        FailureKind.EXIT,
        "the cluster's lock is out of reach there",
        ended.exit_code,
        ended.stderr.strip(),
        "does ~/.raycluster there belong to this user, and has the host `flock` (util-linux) and bash?",
    )


def ourselves() -> str:
    """Who runs here, as the lock names its holder: `user@machine`."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def ask(via: Transport, command: Command, cancel: Event) -> str | Failure:
    """What the host says of the lock, or has done to it."""
    got = via.run(command, timeout=ASK_SECONDS, cancel=cancel)
    if isinstance(got, Failure):
        return got
    return got.stdout if got.exit_code == 0 else _not_lockable(got)
