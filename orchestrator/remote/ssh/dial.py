"""The wire to the first hop: TCP, or what a ProxyCommand gives."""

import fcntl
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from time import monotonic

from orchestrator.remote.ssh.config import Settings
from orchestrator.remote.ssh.errors import SourceAddressError, hung_up
from orchestrator.remote.ssh.heard import Heard
from orchestrator.remote.streams import Tail

MOMENT = 0.5  # seconds
KEPT = 4096  # bytes of what a ProxyCommand says
READ = 1024
SIOCGIFADDR = 0x8915  # asks Linux for an interface's IPv4 address
GLOBAL = "00"  # the scope of an IPv6 address in /proc/net/if_inet6


def dial(
    hop: Settings, deadline: float, undo: ExitStack, unacknowledged: float, heard: Heard
) -> socket.socket:
    """The wire; `heard` then has the ProxyCommand behind it."""
    if hop.proxy_command:
        heard.proxy = ProxyCommand(hop.proxy_command, undo)
        wire = heard.proxy.wire
        if not hop.proxy_passes_fd:
            return wire
        wire = undo.enter_context(_passed(wire, deadline))
    else:
        wire = undo.enter_context(_tcp(hop, deadline))
    with suppress(OSError):  # a wire that a ProxyCommand passes need not be TCP
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Where the system can: else it repeats itself to a dead peer for a quarter of an hour.
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(unacknowledged * 1000))
    return wire


def _tcp(hop: Settings, deadline: float) -> socket.socket:
    """To the first address that answers; the time left is shared among those not tried yet."""
    found = socket.getaddrinfo(hop.host, hop.port, hop.family, socket.SOCK_STREAM)
    problem = OSError("no address")
    for untried, (family, _, _, _, address) in zip(range(len(found), 0, -1), found, strict=True):
        timeout = (deadline - monotonic()) / untried
        wire = socket.socket(family, socket.SOCK_STREAM)
        try:
            if timeout <= 0:
                raise TimeoutError
            wire.settimeout(timeout)
            _bind(wire, hop)
            wire.connect(address)
        except OSError as error:
            wire.close()
            problem = error
        else:
            return wire
    raise problem


def _bind(wire: socket.socket, hop: Settings) -> None:
    """As `ssh` does, an interface stands for an address of it."""
    try:
        if hop.bind_address:
            found = socket.getaddrinfo(hop.bind_address, None, wire.family, socket.SOCK_STREAM)
            wire.bind(found[0][4])
        elif hop.bind_interface:
            wire.bind(_address_of(hop.bind_interface, wire))
    except OSError as error:
        raise SourceAddressError(*error.args) from error


def _address_of(interface: str, wire: socket.socket) -> tuple[str | int, ...]:
    if wire.family == socket.AF_INET:
        answer = fcntl.ioctl(wire, SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
        return socket.inet_ntoa(answer[20:24]), 0
    found = sorted(_ipv6_of(interface))
    if not found:
        raise OSError(0, "it has no IPv6 address")
    _, address, index = found[0]
    return address, 0, 0, index


def _ipv6_of(interface: str) -> Iterator[tuple[bool, str, int]]:
    """Addresses, those that are only good on the interface's own network last."""
    for line in Path("/proc/net/if_inet6").read_text().splitlines():
        digits, index, _, scope, _, name = line.split()
        if name == interface:
            address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))
            yield scope != GLOBAL, address, int(index, 16)


def _passed(wire: socket.socket, deadline: float) -> socket.socket:
    """The connection that a command with ProxyUseFdpass hands over."""
    wire.settimeout(max(deadline - monotonic(), 0.001))
    _, passed, _, _ = socket.recv_fds(wire, 1, 1)
    if not passed:
        raise EOFError("no connection was handed over")
    return socket.socket(fileno=passed[0])


class ProxyCommand:
    """A ProxyCommand on a socket pair, and what it says meanwhile.

    paramiko's own ProxyCommand spins when the command ends: https://github.com/paramiko/paramiko/issues/1277
    A session of its own: a Ctrl-C is for us, who still need the connection to clean up.
    """

    exit_code: int | None = None  # where it has ended by itself

    def __init__(self, command: str, undo: ExitStack) -> None:
        self.wire, theirs = socket.socketpair()
        undo.callback(self.wire.close)
        shell = os.environ.get("SHELL") or "/bin/sh"
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [shell, "-c", f"exec {command}"],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
        except OSError as error:
            why = f"its ProxyCommand cannot be run with $SHELL, {shell}: {error.strerror}"
            raise OSError(error.errno, why) from error
        undo.push(self._close)
        self._said = Tail(KEPT)
        self._listener = Thread(target=self._listen, name="proxy-command", daemon=True)
        self._listener.start()

    def _close(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error and hung_up(error):  # it is about to end by itself, and to say why
            self.end(MOMENT)
        self.wire.close()
        with suppress(PermissionError):  # one that `sudo` runs is not ours to end: it ends with its wire
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        """For as long as it runs: with nobody to read it would wait to say more."""
        assert self._process.stderr  # noqa: S101 - as it was started
        with self._process.stderr as stderr:
            while data := os.read(stderr.fileno(), READ):
                self._said.receive(data)

    def end(self, seconds: float) -> None:
        """Wait so long for it to end, and to have said all."""
        with suppress(subprocess.TimeoutExpired):
            self.exit_code = self._process.wait(seconds)
            self._listener.join(seconds)

    @property
    def last_words(self) -> str:
        return self._said.last_words.strip()
