"""Set-up of Fabric and paramiko, and what works around them."""

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from threading import Event
from typing import TYPE_CHECKING, Any

from orchestrator.remote.ssh.heard import CIPHER, KEX, MAC, Algorithms, Heard
from orchestrator.remote.ssh.openssh_config import unusable

if TYPE_CHECKING:
    import paramiko

    from orchestrator.remote.ssh.config import Settings


OPENSSH = "OpenSSH"  # in the version that its server says


@cache
def import_fabric() -> None:
    """Needed before any part of either is imported by itself.

    Threads that import different parts at once would find them half done. Of one and the same module, Python lets
    the others wait.
    """
    import fabric  # noqa: F401, PLC0415

    # paramiko reports every broken connection to a log, and a log without a reader is printed.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())


@cache
def connections() -> Callable[..., Any]:
    """Makes Fabric's connections. They share one configuration, and leave it alone.

    Fabric takes an attribute that it has not declared for a setting, and then merges the configuration anew: that
    takes half a millisecond, and who reads it meanwhile finds it half done. Of its own files it is to read none:
    `settings` has been through ssh's.
    """
    import fabric  # noqa: PLC0415
    import paramiko  # noqa: PLC0415

    class Plain(fabric.Connection):  # type: ignore[misc] # Fabric has no types
        def __setattr__(self, name: str, value: object) -> None:
            object.__setattr__(self, name, value)

    class Config(fabric.Config):  # type: ignore[misc]
        # It looks for these with each value that is read, and where they are missing writes a long error.
        _root, _keypath = None, ()

    return partial(Plain, config=Config(lazy=True, ssh_config=paramiko.SSHConfig()))


def transports(host_key_algorithms: Sequence[str], hop: "Settings", heard: Heard) -> Any:
    """Makes transports that ask for these host keys, in this order, and for AES-GCM before other ciphers.

    Paramiko asks for AES-GCM last. With any other cipher it computes and compares a MAC in Python: half the
    throughput, and a tenth of a connection's CPU. chacha20-poly1305 is ours, in Python as well.
    """

    def transport(wire: Any, **options: Any) -> Any:
        from orchestrator.remote.ssh.negotiation import (  # noqa: PLC0415 - slow to import
            packetizer_class,
            transport_class,
        )

        end: Any = wire if isinstance(wire, socket.socket) else _Tunnel(wire)
        made: Any = transport_class()(end, packetizer_class=packetizer_class(), **options)
        made.heard = made.packetizer.heard = heard
        made.preferred_keys = host_key_algorithms
        security = made.get_security_options()
        security.ciphers = _allowed(CIPHER, sorted(security.ciphers, key=_by_preference), hop.ciphers)
        security.digests = _allowed(MAC, security.digests, hop.macs)
        security.kex = _allowed(KEX, security.kex, hop.kex)
        return made

    return transport


def _by_preference(cipher: str) -> int:
    order = ("-gcm@", "-ctr", "chacha20")
    return next((place for place, kind in enumerate(order) if kind in cipher), len(order))


def _allowed(kind: Algorithms, ours: Sequence[str], chosen: tuple[str, ...]) -> Sequence[str]:
    """Those of ours that the SSH config names, where it does."""
    allowed = [each for each in (*ours, *kind.if_named) if each in chosen] if chosen else ours
    if not allowed:
        message = f"{kind.keyword} in the SSH config names none that raycluster has"
        raise unusable(message, fix=f"add one to it: {', '.join(ours)}")
    return allowed


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


def keep_alive(transport: "paramiko.Transport", seconds: float, unanswered: float) -> None:
    """Signs of life are asked for every `seconds`; the connection ends where none came for `unanswered` seconds.

    paramiko's thread wakes ten times a second to see whether one is due. Each time costs half a millisecond of CPU, so
    it sleeps longer.
    """
    packetizer: Any = transport.packetizer
    answers = OPENSSH in transport.remote_version  # as each of its versions does
    packetizer.keep_asking(seconds, unanswered, transport.clear_to_send.is_set, answers=answers)
    transport.sock.settimeout(seconds / 2)


def leave(channel: "paramiko.Channel") -> None:
    """Closes a channel, but first takes it from the pipe behind `fileno`.

    paramiko's thread writes to that pipe when data comes. Where `close` is just closing it, the write fails, and
    with it the connection; or it goes to whatever has the pipe's number by then.
    https://github.com/paramiko/paramiko/issues/1157
    """
    for buffer in (channel.in_buffer, channel.in_stderr_buffer):
        buffer.set_event(Event())
    channel.close()


def hang_up(client: "paramiko.SSHClient", seconds: float) -> None:
    """Closes a connection and waits `seconds` for its thread. Fabric's own close leaves alone what never was one."""
    transport = client.get_transport()
    if transport is not None:
        # Before the socket is closed: paramiko's thread still reads from it, and would go on to read
        # from whatever gets its number next.
        wire = transport.sock
        with suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR) if isinstance(wire, socket.socket) else wire.close()
        with suppress(RuntimeError):  # it was never started
            transport.join(seconds)
    client.close()
