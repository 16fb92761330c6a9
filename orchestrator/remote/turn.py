"""Between the call to a host and the handshake: a call only waits, a handshake is work."""

from collections.abc import Callable
from threading import Event
from time import monotonic

from orchestrator.remote.refused import Refused
from orchestrator.remote.transport import Failure, FailureKind

Wait = Callable[[], float]
"""Waits for the turn; the seconds that it took."""


def at_once() -> float:
    return 0.0


class Turn:
    """Lets a host be called at once, silent or not, and be worked on only when its turn has come, if ever it does."""

    def __init__(self) -> None:
        self.called = Event()
        self._decided, self._refused = Event(), False

    def give(self) -> None:
        self._decided.set()

    def refuse(self) -> None:
        """Nobody wants the host any more. Comes too late where the turn was given."""
        self._refused = not self._decided.is_set()
        self._decided.set()

    def wait(self) -> float:
        """Until it is given: the seconds that took. Refused where nobody wants it any more."""
        begun = monotonic()
        self.called.set()
        self._decided.wait()
        if self._refused:
            raise Refused(Failure(FailureKind.CANCELLED, "nobody waits for the host any more"))
        return monotonic() - begun
