"""The three ways to run a command, for a transport that can carry one to its end."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Event

from orchestrator.plan.command import Command
from orchestrator.remote.bell import Bell
from orchestrator.remote.channel import Lines, Tail
from orchestrator.remote.stdin import Given, Held, Piped, Source
from orchestrator.remote.transport import Failure, Hear, Output

KEPT = 1 << 16  # bytes of standard error that a stream keeps: it may last for days


class Speaker(ABC):
    """What all transports have in common: which input a command gets, and who hears it."""

    def run(self, command: Command, *, timeout: float, cancel: Event) -> Output | Failure:
        stdout, stderr = bytearray(), Tail(None)
        stdin = Given(command.input())
        ended = self._speak(command, stdin, stdout.extend, stderr, timeout, cancel)
        return (
            ended
            if isinstance(ended, Failure)
            else Output(ended, stdout.decode(errors="replace"), stderr.text)
        )

    def stream(
        self,
        command: Command,
        tell: Callable[[str], None],
        *,
        timeout: float,
        cancel: Event,
        over: Bell | None = None,
    ) -> Output | Failure:
        lines, stderr = Lines(tell), Tail(KEPT)
        stdin = Held(command.input(), over)
        ended = self._speak(command, stdin, lines.hear, stderr, timeout, cancel)
        lines.end()
        return ended if isinstance(ended, Failure) else Output(ended, stderr=stderr.text)

    def pipe(
        self, command: Command, stdin: int, hear: Hear, complain: Hear, *, timeout: float, cancel: Event
    ) -> Output | Failure:
        stderr = Tail(KEPT, complain)
        ended = self._speak(command, Piped(stdin), hear, stderr, timeout, cancel)
        return ended if isinstance(ended, Failure) else Output(ended, stderr=stderr.text)

    @abstractmethod
    def _speak(
        self, command: Command, stdin: Source, hear: Hear, stderr: Tail, timeout: float, cancel: Event
    ) -> int | Failure:
        """The exit code of a command that ran to its end."""
