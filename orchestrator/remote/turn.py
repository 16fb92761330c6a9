"""Between the call to a host and the handshake: a call only waits, a handshake is work."""

from collections.abc import Callable
from threading import Event
from time import monotonic

Wait = Callable[[], float]
"""Waits for the turn; the seconds that it took."""


def at_once() -> float:
    return 0.0


class Turn:
    """Lets a host be called at once, silent or not, and be worked on only when its turn has come."""

    def __init__(self) -> None:
        self.called = Event()
        self._given = Event()

    def give(self) -> None:
        self._given.set()

    def wait(self) -> float:
        begun = monotonic()
        self.called.set()
        self._given.wait()
        return monotonic() - begun
