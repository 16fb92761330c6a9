"""What a person sees while a command runs: when the hosts got their marks, on a terminal."""

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Iterator, Sequence
from time import perf_counter

from .measure import BenchError

ROWS, COLUMNS = 70, 120
HEADING = "Look at the hosts"
DONE, FAILED = "✓", "✗"


def marks(argv: Sequence[str], others: int) -> tuple[float, float]:
    """Seconds until that many hosts are marked as done, and until one is as failed, both from the command's begin."""
    done = failed = None
    text = ""
    for second, more in _shown(argv):
        text += more
        drawn = text.rpartition(HEADING)[2]
        if done is None and drawn.count(DONE) >= others:
            done = second
        if failed is None and FAILED in drawn:
            failed = second
    if done is None or failed is None:
        raise BenchError(f"not all hosts were marked on the terminal\n{text[-2000:]}")
    return done, failed


def opened() -> tuple[int, int]:
    """A terminal: our end, and the program's."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    return ours, theirs


def _shown(argv: Sequence[str]) -> Iterator[tuple[float, str]]:
    """What it writes on a terminal, and when."""
    ours, theirs = opened()
    begun = perf_counter()
    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        with contextlib.suppress(OSError):  # how Linux says that nobody has the other end any more
            while more := os.read(ours, 65536):
                yield perf_counter() - begun, more.decode(errors="replace")
    finally:
        os.close(ours)
        process.wait()
