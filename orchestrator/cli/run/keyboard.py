"""The terminal's keyboard while the program draws, and before it asks.

The terminal itself echoes what is typed. An echo into a table that is drawn again and again leaves pieces of it
standing, and a yes that was typed before its question could be read agrees to nothing.
"""

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LOCAL_MODES = 3
"""The place of the modes that ECHO is one of: https://docs.python.org/3/library/termios.html#termios.tcgetattr."""

_echoes: list[int] = []
"""The keyboard whose echo is off: a run that leaves at once turns it on before."""


@contextmanager
def unechoed() -> Iterator[None]:
    """Nothing that is typed meanwhile is echoed; whoever reads next has it."""
    if (keyboard := _keyboard()) is None or not _set_echo(keyboard, on=False):
        yield
        return
    _echoes.append(keyboard)
    try:
        yield
    finally:
        echo_again()


def echo_again() -> None:
    """Turns the echo on where `unechoed` has turned it off."""
    while _echoes:
        keyboard = _echoes.pop()
        if keyboard == _keyboard():
            _set_echo(keyboard, on=True)


def forget_typed() -> None:
    """What was typed and nobody has read is forgotten."""
    if (keyboard := _keyboard()) is not None:
        with suppress(termios.error):
            termios.tcflush(keyboard, termios.TCIFLUSH)


def _keyboard() -> int | None:
    """Standard input where it is a terminal's and we are what runs in its foreground: others are stopped by SIGTTOU."""
    with suppress(OSError, ValueError, AttributeError):  # closed, or none at all
        keyboard = sys.stdin.fileno()
        return keyboard if os.isatty(keyboard) and os.tcgetpgrp(keyboard) == os.getpgrp() else None
    return None


def _set_echo(keyboard: int, *, on: bool) -> bool:
    """Whether there is a change; who has turned the echo off before us keeps it so."""
    with suppress(termios.error):
        modes = termios.tcgetattr(keyboard)
        if bool(modes[LOCAL_MODES] & termios.ECHO) is not on:
            modes[LOCAL_MODES] ^= termios.ECHO
            termios.tcsetattr(keyboard, termios.TCSADRAIN, modes)
            return True
    return False
