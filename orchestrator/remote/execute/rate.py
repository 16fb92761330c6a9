"""The rate of something that flows, over its last seconds: what it was long ago tells nothing of what is left."""

from collections import deque
from time import monotonic

SPAN = 10.0


class Rate:
    """Of a count that only grows."""

    def __init__(self) -> None:
        self._seen = deque[tuple[float, int]]()

    def at(self, count: int, now: float | None = None) -> float:
        """A second, with this count as the newest; 0 until there are two."""
        now = monotonic() if now is None else now
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] <= now - SPAN:  # noqa: PLR2004 - the oldest and the newest
            self._seen.popleft()
        began, first = self._seen[0]
        return (count - first) / (now - began) if now > began else 0.0
