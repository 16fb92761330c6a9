"""Ctrl-C: once asks a run to stop in good order, twice ends it at once.

Python runs signal handlers on the main thread alone, between two of its steps; one that waits
inside a system call, for a lock or a name server, may not get to them. So the signals' numbers
go through a pipe to a thread that does nothing else.
https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
"""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from orchestrator.cli.exit_codes import INTERRUPTED
from orchestrator.cli.output import readers
from orchestrator.cli.output.console import notice
from orchestrator.cli.run import keyboard

STOPPING = "interrupted: stopping in good order (Ctrl-C again leaves at once)"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopped_by_signals(cancel: Event, message: str = STOPPING, *, unread: bool = False) -> Iterator[None]:
    """The first Ctrl-C asks the run to stop in good order, which is `message` unless empty; the second leaves at once.

    A closed terminal (SIGHUP) and a shutdown (SIGTERM) are no other wish. `unread`: nor is a reader who goes, of what
    may have nothing to say for hours.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    listener = Thread(target=_listen, args=(reader, cancel, message, unread), name="signals", daemon=True)
    listener.start()
    before = {number: signal.signal(number, _pass_on) for number in _SIGNALS}
    wakeup = signal.set_wakeup_fd(writer)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writer)
        listener.join()
        os.close(reader)


def _pass_on(_number: int, _frame: object) -> None:
    """Without a handler of Python's own a signal would not reach the pipe."""


def _listen(reader: int, cancel: Event, message: str, unread: bool) -> None:
    if unread and (output := readers.pipe_to_reader()) is not None and _goes_first(output, reader):
        readers.leave(output)
        cancel.set()
    first = True
    for number in _numbers(reader):
        if number == signal.SIGHUP:
            _speak_to_nobody()
        if not first:
            notice().show_cursor()
            keyboard.echo_again()
            os._exit(INTERRUPTED)
        first = False
        cancel.set()
        if message:
            notice().print(message)


def _numbers(reader: int) -> Iterator[int]:
    """Each of our signals as it comes; one that another part of the program handles is not ours."""
    while number := os.read(reader, 1):
        if number[0] in _SIGNALS:
            yield number[0]


def _goes_first(output: int, signals: int) -> bool:
    """Waits until whoever reads our output has gone, or a signal has come: whether it was the former."""
    waiting = select.poll()
    waiting.register(output, 0)  # an error is always told, and nothing else is asked for
    waiting.register(signals, select.POLLIN)
    return {descriptor for descriptor, _ in waiting.poll()} == {output}


def _speak_to_nobody() -> None:
    """The terminal is gone, and a write to it would end us before we are done."""
    readers.act()
    for descriptor in (readers.OUTPUT, readers.ERRORS):
        readers.leave(descriptor)
