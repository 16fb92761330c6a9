"""An Event that is heard at once by who waits for a host."""

import os
from threading import Event, Lock


class Bell(Event):
    """For what is stopped in the normal course: a plain Event is seen when the clock is looked at again."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._ear, self._hand = os.pipe()

    def set(self) -> None:
        """Sets it. Whoever waits for its file descriptor as well finds that readable, from then on."""
        with self._lock:
            if not self.is_set():
                os.close(self._hand)
            super().set()

    def fileno(self) -> int:
        return self._ear

    def __del__(self) -> None:
        self.set()
        os.close(self._ear)
