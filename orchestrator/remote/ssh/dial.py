"""The first hop's wire: TCP, or a ProxyCommand's two ends."""

import os
import socket
import subprocess
from contextlib import ExitStack, suppress
from time import monotonic

from orchestrator.remote.ssh.config import Settings

SILENCE = 30  # seconds a peer may leave data unacknowledged before it counts as dead


def dial(hop: Settings, deadline: float, undo: ExitStack) -> socket.socket:
    if hop.proxy_command:
        return _through_command(hop.proxy_command, undo)
    return undo.enter_context(_tcp(hop, deadline))


def _tcp(hop: Settings, deadline: float) -> socket.socket:
    """To the first address that answers; the time left is shared among those not tried yet."""
    found = socket.getaddrinfo(hop.host, hop.port, hop.family, socket.SOCK_STREAM)
    problem = OSError("no address")
    for untried, (family, _, _, _, address) in zip(range(len(found), 0, -1), found, strict=True):
        try:
            return _connected(family, address, (deadline - monotonic()) / untried)
        except OSError as error:
            problem = error
    raise problem


def _connected(family: int, address: object, timeout: float) -> socket.socket:
    if timeout <= 0:
        raise TimeoutError
    wire = socket.socket(family, socket.SOCK_STREAM)
    try:
        wire.settimeout(timeout)
        wire.connect(address)  # type: ignore[arg-type] # as getaddrinfo gave it
    except BaseException:
        wire.close()
        raise
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _notice_silence(wire)
    return wire


def _notice_silence(wire: socket.socket) -> None:
    """Where the system can: else it repeats itself to a dead peer for a quarter of an hour."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError):
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE * 1000)


def _through_command(command: str, undo: ExitStack) -> socket.socket:
    """A ProxyCommand on a socket pair.

    paramiko's own ProxyCommand spins when the command ends. A session of its own: a Ctrl-C is for
    us, who still need the connection to clean up.
    """
    ours, theirs = socket.socketpair()
    undo.callback(ours.close)
    with theirs:
        process = subprocess.Popen(
            [os.environ.get("SHELL", "/bin/sh"), "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    undo.callback(process.wait)
    undo.callback(process.kill)
    return ours
