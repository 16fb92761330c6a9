"""History of a relay: the last bytes of the stream, in memory, for a sink and for the relays behind.

A relay behind may lose the one that it gets the stream from, and come here instead. What it then asks for has to be
here still: each tells the one before it what it and those behind it have.
"""

import bisect
import contextlib
import os
import select
import threading

DEPTH = 3  # relays behind whose receipt a relay knows: so many less one may be lost at once without a gap


class Waker:
    """Wakes a thread that waits in `select`."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        for end in (self.reader, self.writer):
            os.set_blocking(end, False)

    def wake(self):
        with contextlib.suppress(BlockingIOError):
            os.write(self.writer, b"!")

    def wait(self, reads, writes, seconds):
        ready = select.select([self.reader, *reads], writes, [], seconds)
        if self.reader in ready[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self.reader, 4096)


class History:
    """The last bytes of the stream, as they are needed: by the sink, and by any relay that is to come behind."""

    def __init__(self, most, has_sink):
        self.most, self.changed = most, threading.Condition()  # of a lock that its holder may take again
        self.starts, self.pieces, self.begin, self.end = [], [], 0, 0
        self.stored = 0 if has_sink else None  # None: no sink minds
        self.behind = None  # what the relays behind have, the nearest first; None: there is to be none
        self.ended, self.wakers = False, []

    def notify(self):
        """With `changed` held."""
        self.changed.notify_all()
        for waker in self.wakers:
            waker.wake()

    def floor(self):
        """The first byte that somebody may still ask for."""
        needed = [self.end if self.stored is None else self.stored]
        if self.behind is not None:
            needed += self.behind
        return min(needed)

    def has_room(self):
        return self.end - self.begin < self.most

    def trim(self):
        floor = self.floor()
        count = bisect.bisect_right(self.starts, floor) - 1  # the pieces that end before it
        if self.starts and floor >= self.end:
            count = len(self.starts)
        if count > 0:
            del self.starts[:count], self.pieces[:count]
        self.begin = self.starts[0] if self.starts else self.end

    def append(self, piece):
        with self.changed:
            self.starts.append(self.end)
            self.pieces.append(piece)
            self.end += len(piece)
            self.notify()

    def wait_for_room(self, seconds):
        with self.changed:
            return self.changed.wait_for(self.has_room, seconds)

    def finish(self):
        with self.changed:
            self.ended = True
            self.notify()

    def piece(self, offset):
        """What comes at the offset; with `changed` held."""
        if offset >= self.end:
            return b""
        at = bisect.bisect_right(self.starts, offset) - 1
        return memoryview(self.pieces[at])[offset - self.starts[at] :]

    def wait_for_piece(self, offset):
        """The same, once it is there; empty where the stream has ended."""
        with self.changed:
            self.changed.wait_for(lambda: self.end > offset or self.ended)
            return self.piece(offset)

    def store(self, offset):
        """The sink has all before it; None: it takes no more."""
        with self.changed:
            self.stored = offset
            self.trim()
            self.notify()

    def hear_behind(self, received):
        with self.changed:
            self.behind = received[:DEPTH]
            self.trim()
            self.notify()

    def received(self):
        """What this relay and those behind it have, the nearest first; with `changed` held."""
        return [self.end, *(self.behind or [])][:DEPTH]
