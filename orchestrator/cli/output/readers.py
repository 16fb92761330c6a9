"""Readers of our output that have gone, as `head` goes: what works on a cluster goes on, what only looks ends.

Who reads decides nothing over a cluster: half of an `up` would stay behind. So a run that acts goes on to its end,
unseen, and its log has all. What only looks has nothing left to do, and ends as others do by SIGPIPE. Neither says a
word about it.
"""

import errno
import io
import os
import signal
import stat
import sys
from contextlib import suppress
from typing import Any

UNREAD = 128 + signal.SIGPIPE
"""The exit code that shells show for `cat` in `cat FILE | head`."""
OUTPUT, ERRORS = 1, 2


class _State:
    """`acting`: what goes on matters more than who reads of it. `gone`: nobody reads standard output any more.

    `trouble`: why output was lost though somebody reads it, such as a full disk.
    """

    acting = gone = False
    trouble: OSError | None = None


def install() -> None:
    """Puts between a program and its two streams what hears of readers that go."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not getattr(sys, f"__{name}__"):
            continue  # one that was closed, and leads nowhere
        written = io.BufferedWriter(_Written(stream.fileno(), "w", closefd=False))
        like = {"encoding": stream.encoding, "errors": stream.errors, "line_buffering": stream.line_buffering}
        setattr(sys, name, io.TextIOWrapper(written, write_through=stream.write_through, **like))


def act() -> None:
    """From here on nobody who leaves ends the program."""
    _State.acting = True


def pipe_to_reader() -> int | None:
    """Standard output where its reader can be seen to leave while nothing is written."""
    mode = os.fstat(OUTPUT).st_mode
    return OUTPUT if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None


def leave(descriptor: int) -> None:
    """Nobody reads this any more: what is written from now on goes nowhere."""
    _State.gone |= descriptor == OUTPUT
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def end() -> None:
    """At the program's end: what was lost is told, and a look that nobody has seen has an exit code of its own."""
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    if _State.trouble:
        sys.stderr.write(f"raycluster: {_State.trouble}\n")
    if _State.gone and not _State.acting:
        sys.exit(UNREAD)


class _Written(io.FileIO):
    """A stream below all buffers."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno != errno.EPIPE:
                if not _State.acting:
                    raise
                _State.trouble = error
            leave(self.fileno())
            if self.fileno() == OUTPUT and not _State.acting:
                raise
            return memoryview(data).nbytes
