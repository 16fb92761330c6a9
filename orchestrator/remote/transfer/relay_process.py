"""One relay of a chain, from here: the command that runs it on its host, what it says, and what it is told."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock, Thread
from typing import Any

from orchestrator.plan.command import Command
from orchestrator.plan.problem import exited
from orchestrator.remote.streams import Lines
from orchestrator.remote.transport import Failure, Output, PollableEvent, Transport

Said = dict[str, Any]
ENDED = "ended"
"""What is put among the words of a relay once its command is over; `failure` says how."""


class RelayProcess:
    """A relay that runs until `end`. `hear` gets all that it says, from a thread of its own."""

    def __init__(
        self, host: str, via: Transport, command: Command, hear: Callable[[str, Said], None]
    ) -> None:
        self.host, self.heard_at = host, time.monotonic()
        self._hear, self._lock, self._gone = hear, Lock(), PollableEvent()
        self._stdin, self._input = os.pipe()
        os.set_blocking(self._input, False)
        self._is_open = True
        self._thread = Thread(target=self._run, args=(via, command), name="relay", daemon=True)
        self._thread.start()

    def tell(self, order: Mapping[str, Any] | None = None) -> None:
        """An order; without one, that we are still there."""
        text = (json.dumps(order) if order else "") + "\n"
        with self._lock, suppress(OSError):  # it has ended, or hears nothing: which is seen by other signs
            if self._is_open:
                os.write(self._input, text.encode())

    def end(self) -> None:
        """Its standard input ends, and so does it, with all that it has begun."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                os.close(self._input)

    def join(self, seconds: float) -> None:
        """Waits for its end, and then no longer."""
        self._thread.join(seconds)
        self._gone.set()
        self._thread.join()

    def _run(self, via: Transport, command: Command) -> None:
        lines = Lines(self._line)
        got = via.pipe(command, self._stdin, lines.receive, _ignore, timeout=math.inf, cancel=self._gone)
        self.end()
        os.close(self._stdin)
        self._hear(self.host, {"what": ENDED, "failure": _failure(got)})

    def _line(self, line: str) -> None:
        with suppress(ValueError):  # not of ours
            said = json.loads(line)
            if isinstance(said, dict) and "what" in said:
                self.heard_at = time.monotonic()
                self._hear(self.host, said)


def _failure(got: Output | Failure) -> Failure:
    if isinstance(got, Failure):
        return got
    return Failure.of(exited(got.exit_code, got.stderr))


def _ignore(_: bytes) -> None:
    """A command's last words come with its end."""
