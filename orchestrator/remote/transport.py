"""How a command reaches a host, and the three ways that can end."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from threading import Event, Lock
from typing import Protocol

from orchestrator.plan.command import Command


class PollableEvent(Event):
    """For what is stopped in the normal course: a plain Event is seen when the clock is looked at again."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._ear, self._hand = os.pipe()

    def set(self) -> None:
        """Sets it. Whoever waits for its file descriptor as well finds that readable, from then on."""
        with self._lock:
            if not self.is_set():
                os.close(self._hand)
            super().set()

    def fileno(self) -> int:
        return self._ear

    def __del__(self) -> None:
        self.set()
        os.close(self._ear)


Hear = Callable[[bytes], None]


class FailureKind(StrEnum):
    """Why a host gave no good answer. Only UNREACHABLE is worth another try."""

    UNREACHABLE = "unreachable"
    HOST_KEY = "host-key"
    AUTH = "auth"
    EXIT = "exit"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Output:
    """A command that ran to its end, whatever its exit code."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer, or not a good one: what happened, its last words, and what to do about it."""

    kind: FailureKind
    message: str
    exit_code: int | None = None
    detail: str = ""
    fix: str = ""


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

    def call(self, *, cancel: Event) -> Failure | None:
        """Wait until the host has answered a call, or will not, and why: before any work. Nobody has to call first."""
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
        tell: Callable[[str], None],
        *,
        timeout: float,
        cancel: Event,
        over: PollableEvent | None = None,
    ) -> Output | Failure:
        """Run, handing each line of standard output to `tell` as it comes.

        Standard input stays open until `over` is set, with an empty line every few seconds: a command that
        reads it knows when nobody listens, also where a cable was cut and no end ever comes. `over` ends the
        input alone: the command is then waited for, until `timeout` or `cancel`.
        """
        ...

    def connect(self, address: str, port: int, *, cancel: Event) -> Wire | Failure:
        """A TCP connection that the host makes to `address`:`port`. Whoever asks for it closes it."""
        ...

    def pipe(
        self, command: Command, stdin: int, hear: Hear, complain: Hear, *, timeout: float, cancel: Event
    ) -> Output | Failure:
        """Run on bytes as they come: standard input from the file descriptor `stdin` until it ends.

        Standard output goes to `hear`, standard error to `complain` and its end into the output too. Who
        hears slowly slows the command down.
        """
        ...

    def close(self) -> None: ...


class FailureError(Exception):
    """Carries a Failure up through paramiko's calls, to where it becomes a value again."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
