"""Holds the cluster's lock for as long as a run lasts, by a command on the head that ends with us."""

import getpass
import math
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Condition, Event, Thread
from typing import Self

from orchestrator.plan import lock
from orchestrator.plan.command import Command
from orchestrator.plan.lock import Holder
from orchestrator.remote.streams import Deadline
from orchestrator.remote.timeouts import DEFAULT
from orchestrator.remote.transport import Failure, FailureKind, Output, PollableEvent, Transport

RELEASED = f"somebody has released it, or nothing was heard from here for {lock.SILENCE_SECONDS} s"


class Lock:
    """The lock, from `take` to `free`.

    `lost` is called, with the reason, should it end before that: whoever holds it must stop, for another
    may have it now.
    """

    def __init__(
        self,
        via: Transport,
        command: Command,
        lost: Callable[[str], None],
        quiet: float = DEFAULT.lock_quiet,
    ) -> None:
        """`quiet`: seconds without a word from its holder after which it counts as lost."""
        self._via, self._command, self._lost, self._quiet = via, command, lost, quiet
        self._changed, self._over = Condition(), PollableEvent()
        self._lines: list[str] = []
        self._ended: Output | Failure | None = None
        self._received, self._is_lost = time.monotonic(), False
        self._threads = [Thread(target=act, name="lock", daemon=True) for act in (self._keep, self._listen)]

    def take(self, cancel: Event, seconds: float) -> Self | Holder | Failure:
        """The lock, or who has it, or why nobody can tell. `seconds`: for the head to answer once it is connected."""
        if failure := self._via.open(cancel=cancel):
            return failure
        for thread in self._threads:
            thread.start()
        deadline = Deadline(seconds, cancel)
        with self._changed:
            while not (self._held or self._ended or deadline.over):
                self._changed.wait(0.2)
            # As it is now: once `_over` is set the command ends, whatever it still says.
            held, ended = self._held, self._ended
            if not held:
                self._over.set()
        match ended:
            case None if held:
                return self
            case None:
                return self._unanswered(deadline)
            case Output(lock.TAKEN):
                return lock.parse("\n".join(self._lines)) or Holder("somebody", "a command", 0.0, 0)
            case Failure() as failure:
                return failure
            case Output():
                return _not_lockable(ended)

    def _unanswered(self, deadline: Deadline) -> Failure:
        """Why neither the lock nor a refusal has come, with the last words of the command that was to take it."""
        self._threads[0].join(1)
        failure = deadline.failure(self._ended.detail if isinstance(self._ended, Failure) else "")
        if failure.kind is FailureKind.CANCELLED:
            return failure
        return replace(
            failure,
            message=f"the cluster's lock: no answer within {deadline.seconds:g} s",
            fix="do commands run there at once? what keeps them may be its ~/.bashrc, or a home on a network share",
        )

    def free(self) -> None:
        self._over.set()
        for thread in self._threads:
            if thread.ident:
                thread.join()

    @property
    def _held(self) -> bool:
        return lock.HELD in self._lines

    def _keep(self) -> None:
        ended = self._via.stream(self._command, self._receive, timeout=math.inf, cancel=self._over)
        with self._changed:
            self._ended = ended
            self._changed.notify_all()
        self._lose(_why_lost(ended))

    def _listen(self) -> None:
        """A cable behind a jump host may be cut, and the connection to that be as good as ever."""
        while not self._over.wait(1):
            if self._held and time.monotonic() > self._received + self._quiet:
                self._lose("nothing is heard of it any more")
                return

    def _lose(self, why: str) -> None:
        with self._changed:
            first, self._is_lost = not self._is_lost, True
        if first and self._held and not self._over.is_set():
            self._lost(why)

    def _receive(self, line: str) -> None:
        self._received = time.monotonic()
        with self._changed:
            if not self._held:
                self._lines.append(line)
            self._changed.notify_all()


def _why_lost(ended: Output | Failure) -> str:
    if isinstance(ended, Failure) and ended.kind is not FailureKind.EXIT:
        return ended.message
    return RELEASED


def _not_lockable(ended: Output) -> Failure:
    return Failure(
        FailureKind.EXIT,
        "the cluster's lock is out of reach there",
        ended.exit_code,
        ended.stderr.strip(),
        "is ~/.raycluster there this user's, on a disk that is neither full nor read-only? are `flock` and bash there?",
    )


def ourselves() -> str:
    """Our user and machine, as the lock names its holder: `user@machine`."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def ask(via: Transport, command: Command, cancel: Event) -> str | Failure:
    """The output of a command about the lock, or why there is none."""
    got = via.run(command, timeout=DEFAULT.lock_ask, cancel=cancel)
    if isinstance(got, Failure):
        return got
    return got.stdout if got.exit_code == 0 else _not_lockable(got)
