"""Containers that run one probe each, and end with their standard input."""

from collections.abc import Callable
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Self

from orchestrator.plan.command import Command
from orchestrator.remote.timeouts import DEFAULT
from orchestrator.remote.transport import Failure, Output, PollableEvent, Transport


class ProbeContainers:
    """Probe containers on several hosts, for as long as this is open as a context."""

    def __init__(self, parting: float = DEFAULT.probe_parting) -> None:
        """`parting`: seconds to end and be removed, after which they are left to themselves."""
        self._parting = parting
        self.over, self._left = PollableEvent(), Event()
        self._threads: list[Thread] = []

    def start(
        self,
        via: Transport,
        command: Command,
        tell: Callable[[str], None],
        end: Callable[[Output | Failure], None],
        seconds: float,
    ) -> None:
        """One, of at most `seconds`: `tell` hears its lines, `end` how it ended."""

        def run() -> None:
            if self.over.is_set():
                return
            end(via.stream(command, tell, timeout=seconds, cancel=self._left, over=self.over))

        thread = Thread(target=run, name="brief", daemon=True)
        thread.start()
        self._threads.append(thread)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Their standard input ends, and they with it."""
        self.over.set()
        until = monotonic() + self._parting
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))
        self._left.set()
        for thread in self._threads:
            thread.join()
