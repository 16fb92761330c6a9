"""The connection to a host: hop by hop through its jump hosts, with Fabric."""

import math
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.model.cluster import HostKeys
from orchestrator.remote.ssh.auth import Keys
from orchestrator.remote.ssh.config import Settings
from orchestrator.remote.ssh.dial import dial
from orchestrator.remote.ssh.errors import explain, hung_up
from orchestrator.remote.ssh.host_keys import HostKeyPolicy
from orchestrator.remote.ssh.paramiko_setup import connections, preferring
from orchestrator.remote.transport import Failure, FailureError, FailureKind

if TYPE_CHECKING:
    import paramiko


Wait = Callable[[], float]
"""Waits for the turn; the seconds that it took."""


def at_once() -> float:
    return 0.0


class Turn:
    """Lets a host be called at once, silent or not, and be worked on only when its turn has come, if ever it does."""

    def __init__(self) -> None:
        self.called = Event()
        self._decided, self._refused = Event(), False

    def give(self) -> None:
        self._decided.set()

    def refuse(self) -> None:
        """Nobody wants the host any more. Comes too late where the turn was given."""
        self._refused = not self._decided.is_set()
        self._decided.set()

    def wait(self) -> float:
        """Until it is given: the seconds that took. Refused where nobody wants it any more."""
        begun = monotonic()
        self.called.set()
        self._decided.wait()
        if self._refused:
            raise FailureError(Failure(FailureKind.CANCELLED, "nobody waits for the host any more"))
        return monotonic() - begun


PAUSES = (0.2, 0.4, 0.8)  # seconds before a host that took the call and hung up is tried again
NEVER = math.inf
IDLE = 2.5  # seconds that paramiko's thread sleeps between looks at KEEPALIVE; each costs half a millisecond of CPU
FAREWELL = 1  # seconds for a connection's thread to end
KEEPALIVE = 5  # seconds between signs of life: without one, a command that waits would never miss its host


class Login(Protocol):
    """How to become somebody on a hop: paramiko's authentication strategy. `used`: what it took."""

    used: str

    def authenticate(self, transport: "paramiko.Transport") -> None: ...


MakeLogin = Callable[[Settings, float], Login]
"""For a hop, within a deadline."""


def connect(
    hops: Sequence[Settings],
    policy: HostKeys,
    deadline: float,
    login: MakeLogin = Keys,
    turn: Wait = at_once,
) -> "Connection":
    """Open every hop, or raise Refused. `login` is for the last one; jump hosts always need keys.

    Waits for its `turn` between call and handshake, which takes nothing from the time until `deadline`. Before the
    call, where a jump host or a ProxyCommand would bear the calls of all hosts at once.
    """
    *jumps, host = hops
    connection = Connection(host, policy, deadline, turn)
    try:
        if jumps or host.proxy_command:
            connection.await_turn()
        for jump in jumps:
            with _on_the_way_to(host):
                connection.reach(jump, Keys)
        connection.reach(host, login)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _on_the_way_to(host: Settings) -> Iterator[None]:
    """A jump host's refusal is told under the name of the host behind it, so it says what they have to do."""
    try:
        yield
    except FailureError as refused:
        why = f"It is a jump host on the way to {host.address}."
        detail = "\n".join(filter(None, (why, refused.failure.detail)))
        refused.failure = replace(refused.failure, detail=detail)
        raise


@dataclass
class Connection:
    """Open hops, each through the one before; in the end, the last is the host."""

    host: Settings
    policy: HostKeys
    deadline: float
    turn: Wait = at_once
    login: str = ""
    _open: list[Any] = field(default_factory=list)  # Fabric has no types
    _via: Settings | None = None
    _undo: ExitStack = field(default_factory=ExitStack)

    @property
    def transport(self) -> "paramiko.Transport":
        transport: paramiko.Transport = self._open[-1].transport
        return transport

    @property
    def alive(self) -> bool:
        return self.transport.is_active()

    def await_turn(self) -> None:
        self.deadline += self.turn()

    def reach(self, hop: Settings, login: MakeLogin) -> None:
        """One hop further. A server that hangs up before the login is tried again."""
        for pause in (*PAUSES, NEVER):
            problem = self._attempt(hop, login)
            if problem is None:
                return
            wait = pause * random.uniform(0.5, 1.5)  # noqa: S311 - only so that hosts do not come back all at once
            if not hung_up(problem) or monotonic() + wait > self.deadline:
                raise FailureError(explain(problem, hop, self._via, self.deadline)) from problem
            time.sleep(wait)

    def _attempt(self, hop: Settings, login: MakeLogin) -> Exception | None:
        try:
            self._step(hop, login)
        except FailureError:
            raise
        except Exception as error:  # noqa: BLE001 - a server that talks nonsense can cause any
            return error
        return None

    def _step(self, hop: Settings, make: MakeLogin) -> None:
        with ExitStack() as undo:
            wire = self._wire(hop, undo)
            login, guard = make(hop, self.deadline), HostKeyPolicy(hop, self.policy)
            fabric = self._fabric(hop, login, guard.types, wire)
            # Fabric accepts any host key unless told otherwise, of gateways too.
            fabric.client.set_missing_host_key_policy(guard)
            undo.callback(_close, fabric)
            fabric.open()
            fabric.transport.set_keepalive(KEEPALIVE)
            fabric.transport.sock.settimeout(IDLE)
            self._open.append(fabric)
            self._via = hop
            self.login = f"as {hop.user}, {login.used}"
            self._undo.push(undo.pop_all())

    def _wire(self, hop: Settings, undo: ExitStack) -> "socket.socket | None":
        """The first hop's; the others have the one before them."""
        if self._open:
            return None
        called = dial(hop, self.deadline, undo)
        self.await_turn()
        return called

    def _fabric(self, hop: Settings, login: Login, types: list[str], wire: "socket.socket | None") -> Any:
        left = max(self.deadline - monotonic(), 0.001)
        options = {
            "timeout": left,
            "banner_timeout": left,
            "auth_timeout": left,
            "channel_timeout": left,
            "auth_strategy": login,
            "transport_factory": preferring(types),
        }
        if wire:
            options["sock"] = wire
        return connections()(
            hop.host,
            user=hop.user,
            port=hop.port,
            gateway=self._open[-1] if self._open else None,
            forward_agent=False,
            connect_kwargs=options,
        )

    def close(self) -> None:
        with suppress(Exception):
            self._undo.close()


def _close(fabric: Any) -> None:
    """Fabric's own close leaves a connection alone that never became one, and its thread with it."""
    transport = fabric.client.get_transport()
    if transport is not None:
        _hang_up(transport)
    fabric.client.close()


def _hang_up(transport: "paramiko.Transport") -> None:
    # Before the socket is closed: paramiko's thread still reads from it, and would go on to read
    # from whatever gets its number next.
    wire = transport.sock
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR) if isinstance(wire, socket.socket) else wire.close()
    with suppress(RuntimeError):  # it was never started
        transport.join(FAREWELL)
