"""Our standard input, for a command on one host; several could not share it."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from orchestrator.cli.output.console import notice

STDIN = 0


@contextmanager
def standard_input(*, read: bool) -> Iterator[int]:
    """The file descriptor to read: ours, or one that has nothing. In the end, says whether ours had something."""
    if read:
        yield STDIN
        return
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        yield nothing
    finally:
        os.close(nothing)
    if not read and _has_something():
        notice().print(
            "standard input was not read: it can go to one host only, as with -l head", style="yellow"
        )


def _has_something() -> bool:
    """Whether somebody has piped in what nobody has read. An open pipe without a word is usual in scripts."""
    import fcntl
    import termios

    with suppress(OSError):
        mode = os.fstat(STDIN).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISREG(mode):
            return any(fcntl.ioctl(STDIN, termios.FIONREAD, bytes(4)))
    return False
