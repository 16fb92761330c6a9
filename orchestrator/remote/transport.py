"""Transports: how a command reaches a host, and the ways in which that can end."""

import os
from collections.abc import Callable
from enum import StrEnum
from threading import Event, Lock
from typing import Protocol

from orchestrator.frozen import dataclass
from orchestrator.plan.command import Command
from orchestrator.plan.problem import Problem


class PollableEvent(Event):
    """An Event that also wakes poll(): its file descriptor becomes readable when it is set."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._reader, self._writer = os.pipe()

    def set(self) -> None:
        with self._lock:
            if not self.is_set():
                os.close(self._writer)
            super().set()

    def fileno(self) -> int:
        return self._reader

    def __del__(self) -> None:
        self.set()
        os.close(self._reader)


Receive = Callable[[bytes], None]


class FailureKind(StrEnum):
    """Why a host gave no good answer. Only UNREACHABLE is worth another try."""

    UNREACHABLE = "unreachable"
    HOST_KEY = "host-key"
    AUTH = "auth"
    ACCOUNT = "account"
    EXIT = "exit"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Output:
    """A command that ran to its end, whatever its exit code. `answer`: of what a wait has come to, for programs."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer, or not a good one: what happened, its last words, and what to do about it."""

    kind: FailureKind
    message: str
    exit_code: int | None = None
    detail: str = ""
    fix: str = ""

    @classmethod
    def of(cls, problem: Problem) -> "Failure":
        """The problem of a command that has run."""
        return cls(FailureKind.EXIT, problem.text, problem.exit_code, problem.detail, problem.fix)

    @property
    def problem(self) -> Problem:
        return Problem(self.message, self.fix, self.detail, self.exit_code)


class Wire(Protocol):
    """Bytes both ways, as a TCP socket has them. They may stop one way and go on the other: `shutdown`."""

    def recv(self, most: int, /) -> bytes: ...

    def sendall(self, data: bytes, /) -> None: ...

    def shutdown(self, how: int, /) -> None: ...

    def close(self) -> None: ...


class Transport(Protocol):
    """One host, one connection, opened by the first command and kept until `close`."""

    @property
    def login(self) -> str:
        """As whom the connection was made, and with which key; empty before that."""
        ...

    @property
    def warning(self) -> str:
        """What makes the connection less safe than it should be."""
        ...

    def open(self, *, cancel: Event) -> Failure | None:
        """Connect, unless that is done; why it cannot be. Whatever else is asked of a host does so by itself."""
        ...

    def run(self, command: Command, *, timeout: float, cancel: Event) -> Output | Failure:
        """Run to the end. After `timeout` seconds TIMEOUT; soon after `cancel` is set CANCELLED.

        The remote process is not ended by either (sshd leaves it), so a command that changes
        something bounds itself with `timeout`.
        """
        ...

    def stream(
        self,
        command: Command,
        on_line: Callable[[str], None],
        *,
        timeout: float,
        cancel: Event,
        over: PollableEvent | None = None,
    ) -> Output | Failure:
        """Run, handing each line of standard output to `on_line` as it comes.

        Standard input stays open until `over` is set, with an empty line every few seconds: a command that
        reads it knows when nobody listens, also where a cable was cut and no end ever comes. `over` ends the
        input alone: the command is then waited for, until `timeout` or `cancel`.
        """
        ...

    def connect(self, address: str, port: int, *, cancel: Event) -> Wire | Failure:
        """A TCP connection that the host makes to `address`:`port`. Whoever asks for it closes it."""
        ...

    def pipe(
        self,
        command: Command,
        stdin: int,
        on_stdout: Receive,
        on_stderr: Receive,
        *,
        timeout: float,
        cancel: Event,
        to_the_end: bool = False,
    ) -> Output | Failure:
        """Run on bytes as they come: standard input from the file descriptor `stdin` until it ends.

        Standard output goes to `on_stdout`, standard error to `on_stderr` and its end into the output too. Who
        receives slowly slows the command down. `to_the_end`: what the command has begun may speak after it, and is
        heard, with whatever a login shell says then.
        """
        ...

    def close(self) -> None: ...


class FailureError(Exception):
    """Carries a Failure up through paramiko's calls, to where it becomes a value again."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
