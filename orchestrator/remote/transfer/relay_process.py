"""One relay of a chain, from here: the command that runs it on its host, what it says, and what it is told."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
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
        self._hear, self._orders, self._gone = hear, SimpleQueue[bytes | None](), PollableEvent()
        self._stdin, self._input = os.pipe()
        self._thread = Thread(target=self._run, args=(via, command), name="relay", daemon=True)
        self._thread.start()
        # Of its own: a host may take its orders slowly, and the list of a model's files is longer than a pipe.
        Thread(target=self._write, name="orders", daemon=True).start()

    def tell(self, order: Mapping[str, Any] | None = None) -> None:
        """An order; without one, that we are still there."""
        self._orders.put(((json.dumps(order) if order else "") + "\n").encode())

    def end(self) -> None:
        """Its standard input ends, and so does it, with all that it has begun."""
        self._orders.put(None)

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

    def _write(self) -> None:
        with suppress(OSError), os.fdopen(self._input, "wb") as pipe:  # it has ended: seen by other signs
            while (order := self._orders.get()) is not None:
                pipe.write(order)
                pipe.flush()

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
