"""Packets that paramiko sends in the wrong order, and those that ask whether the host is still there."""

import math
from collections.abc import Callable
from functools import cache
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import paramiko
    from paramiko.packet import Packetizer

# Message numbers of RFC 4254.
GLOBAL_REQUEST = 80
ANSWERS = (81, 82)
OPEN_CONFIRMATION = 91
ABOUT_A_CHANNEL = range(93, 99)
CLOSE = 97

ASKS = b"keepalive@openssh.com"  # no server needs to know it, but each has to answer: RFC 4254, 4
KEEPALIVE = bytes([GLOBAL_REQUEST]) + len(ASKS).to_bytes(4) + ASKS + b"\1"


@cache
def orderly_packetizer() -> "type[Packetizer]":
    """Says nothing more about a channel once it has been closed.

    Paramiko writes a message under the channel's lock and sends it after. When a command ends just
    then, its CLOSE overtakes our end of input or data, and sshd hangs up: on every command of the
    connection, because of one that was quick. https://github.com/paramiko/paramiko/issues/1115
    """
    from paramiko.packet import Packetizer  # noqa: PLC0415 - slow to import

    class Orderly(Packetizer):
        def __init__(self, wire: Any) -> None:
            super().__init__(wire)
            self.sending = RLock()
            self._closed: set[int] = set()

        def start_handshake(self, _timeout: float) -> None:
            """Nothing: it has the time of the whole connection. Paramiko starts a thread for its own 15 seconds."""

        def send_message(self, data: "paramiko.Message") -> None:
            message = data.asbytes()
            with self.sending:
                if not self._comes_too_late(message[0], _number(message[1:5])):
                    super().send_message(data)

        def _comes_too_late(self, kind: int, channel: int) -> bool:
            late = kind in ABOUT_A_CHANNEL and channel in self._closed
            if kind == CLOSE:
                self._closed.add(channel)
            return late

        def read_message(self) -> "tuple[int, paramiko.Message]":
            kind, message = super().read_message()
            if kind == OPEN_CONFIRMATION:  # the host gives a number out again once it is free
                with self.sending:
                    self._closed.discard(_number(message.asbytes()[4:8]))
            return kind, message

    return Orderly


def _number(four_bytes: bytes) -> int:
    return int.from_bytes(four_bytes, "big")


@cache
def asking_packetizer() -> "type[Packetizer]":
    """An orderly one that asks the host for signs of life, and ends the connection where none comes any more.

    Paramiko's own keepalives ask for no answer, and wait while anything is sent; TCP misses only the host at its other
    end: not one behind a jump host or a ProxyCommand, nor one whose kernel takes what its sshd never reads.
    """
    from paramiko import Message  # noqa: PLC0415 - slow to import

    usual: Any = orderly_packetizer()

    class Asking(usual):  # type: ignore[misc]
        _every = _next = 0.0  # seconds
        _most = _in_vain = 0  # questions. Not time: this process may have been stopped for a while
        _answers = False

        def keep_asking(
            self, every: float, unanswered: float, may_ask: Callable[[], bool], *, answers: bool
        ) -> None:
            """Asks every few seconds; but not during a key exchange (`may_ask`), when it counts all the same.

            At first when nothing has come for a moment: most commands have ended by then. That the server `answers` may
            be known before it has done so.
            """
            self._most, self._may_ask, self._answers = math.ceil(unanswered / every), may_ask, answers
            self._every = every

        def _check_keepalive(self) -> None:
            now = monotonic()
            if not self._every or now < self._next:
                return
            self._next = now + self._every
            if self._in_vain >= self._most and self._answers:
                raise EOFError("the host gives no sign of life")
            self._in_vain += 1
            self._ask()

        def _ask(self) -> None:
            """Unless a sender waits for the host to take what came before."""
            if self._may_ask() and self.sending.acquire(blocking=False):
                try:
                    self.send_message(Message(KEEPALIVE))
                finally:
                    self.sending.release()

        def read_message(self) -> "tuple[int, paramiko.Message]":
            kind, message = super().read_message()
            self._in_vain = 0
            self._answers = self._answers or kind in ANSWERS  # a server that never does is not gone
            return kind, message

    return Asking
