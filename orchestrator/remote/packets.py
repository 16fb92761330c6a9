"""The order of what is said about a channel."""

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import paramiko
    from paramiko.packet import Packetizer

# Message numbers of RFC 4254.
OPEN_CONFIRMATION = 91
ABOUT_A_CHANNEL = range(93, 99)
CLOSE = 97


@cache
def orderly_packetizer() -> "type[Packetizer]":
    """Says nothing more about a channel once it has been closed.

    Paramiko writes a message under the channel's lock and sends it after. When a command ends just
    then, its CLOSE overtakes our end of input or data, and sshd hangs up: on every command of the
    connection, because of one that was quick.
    """
    from paramiko.packet import Packetizer  # noqa: PLC0415 - slow to import

    class Orderly(Packetizer):
        def __init__(self, wire: Any) -> None:
            super().__init__(wire)
            self._sending = Lock()
            self._closed: set[int] = set()

        def send_message(self, data: "paramiko.Message") -> None:
            said = data.asbytes()
            with self._sending:
                if not self._comes_too_late(said[0], _number(said[1:5])):
                    super().send_message(data)

        def _comes_too_late(self, kind: int, channel: int) -> bool:
            late = kind in ABOUT_A_CHANNEL and channel in self._closed
            if kind == CLOSE:
                self._closed.add(channel)
            return late

        def read_message(self) -> "tuple[int, paramiko.Message]":
            kind, message = super().read_message()
            if kind == OPEN_CONFIRMATION:  # the host gives a number out again once it is free
                with self._sending:
                    self._closed.discard(_number(message.asbytes()[4:8]))
            return kind, message

    return Orderly


def _number(four_bytes: bytes) -> int:
    return int.from_bytes(four_bytes, "big")
