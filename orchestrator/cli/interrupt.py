"""Ctrl-C: once asks a run to stop in good order, twice ends it at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from orchestrator.cli.screen import notice

INTERRUPTED = 130


@contextmanager
def stopped_by_signals(cancel: Event) -> Iterator[None]:
    """The first Ctrl-C asks the run to stop in good order, the second leaves at once.

    A closed terminal (SIGHUP) and a shutdown (SIGTERM) are no other wish.
    """
    told = Event()

    def interrupt(number: int, _frame: object) -> None:
        if number == signal.SIGHUP:
            _speak_to_nobody()
        if told.is_set():
            notice().show_cursor()
            os._exit(INTERRUPTED)
        told.set()
        cancel.set()
        notice().print("interrupted: stopping in good order (Ctrl-C again leaves at once)")

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _speak_to_nobody() -> None:
    """The terminal is gone, and a write to it would end us before we are done."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
