"""paramiko's transport as we use it: what it asks a host for, and over which wire."""

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orchestrator.remote.packets import orderly_packetizer

if TYPE_CHECKING:
    import paramiko


def preferring(types: list[str]) -> Any:
    """Makes transports that ask for the host key types on file before others, and for AES-GCM before other ciphers.

    Paramiko asks for AES-GCM last. With any other cipher it computes and compares a MAC in Python: half the
    throughput, and a tenth of a connection's CPU.
    """

    def transport(wire: Any, **options: Any) -> "paramiko.Transport":
        import paramiko  # noqa: PLC0415 - slow to import

        end: Any = wire if isinstance(wire, socket.socket) else _Tunnel(wire)
        made = paramiko.Transport(end, packetizer_class=orderly_packetizer(), **options)
        security = made.get_security_options()
        security.key_types = sorted(security.key_types, key=lambda offered: _signs_with(offered) not in types)
        security.ciphers = sorted(security.ciphers, key=lambda cipher: "-gcm@" not in cipher)
        return made

    return transport


def _signs_with(algorithm: str) -> str:
    """The type of key behind a signature algorithm."""
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm


class _Tunnel:
    """A jump host's channel, as the wire of the next hop.

    It closes in peace where the jump host is gone already: paramiko's thread would die of that, and
    Python print its last words.
    """

    def __init__(self, channel: "paramiko.Channel") -> None:
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def close(self) -> None:
        with suppress(EOFError, OSError):
            self._channel.close()
