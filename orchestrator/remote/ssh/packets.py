"""Packets that paramiko sends in the wrong order, and those that ask whether the host is still there."""

from functools import cache
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import paramiko
    from paramiko.packet import Packetizer

# Message numbers of RFC 4254.
GLOBAL_REQUEST = 80
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
    """An orderly one that knows since when the host was asked for a sign of life in vain.

    Paramiko's own keepalives ask for no answer, and TCP misses only the host at its other end: not one behind a jump
    host or a ProxyCommand, nor one whose kernel takes what its sshd never reads.
    """
    from paramiko import Message  # noqa: PLC0415 - slow to import

    usual: Any = orderly_packetizer()

    class Asking(usual):  # type: ignore[misc]
        _asked: float | None = None

        def ask(self) -> None:
            """Asks for one, unless a sender waits for the host to take what came before."""
            self._asked = self._asked or monotonic()
            if self.sending.acquire(blocking=False):
                try:
                    self.send_message(Message(KEEPALIVE))
                finally:
                    self.sending.release()

        def unanswered(self) -> float:
            """Seconds."""
            return monotonic() - self._asked if self._asked else 0.0

        def read_message(self) -> "tuple[int, paramiko.Message]":
            read: tuple[int, paramiko.Message] = super().read_message()
            self._asked = None
            return read

    return Asking
