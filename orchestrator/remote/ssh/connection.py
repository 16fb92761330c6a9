"""The connection to a host: hop by hop through its jump hosts, with Fabric."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from threading import Semaphore
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.model.cluster import HostKeys
from orchestrator.remote.ssh.auth import Keys
from orchestrator.remote.ssh.config import Settings
from orchestrator.remote.ssh.dial import MOMENT, ProxyCommand, dial
from orchestrator.remote.ssh.errors import Circumstances, explain, hung_up
from orchestrator.remote.ssh.heard import Heard
from orchestrator.remote.ssh.hints import hinted
from orchestrator.remote.ssh.host_keys import HostKeyPolicy
from orchestrator.remote.ssh.paramiko_setup import (
    connections,
    hang_up,
    import_fabric,
    keep_alive,
    transports,
)
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Failure, FailureError, FailureKind

if TYPE_CHECKING:
    import socket

    import paramiko


class HandshakeSlot:
    """Limits SSH handshakes, which are work; TCP connects are not limited, so a silent host holds up no other.

    `deadline` is when the connection has to stand. Waiting for the slot takes nothing from that time.
    """

    def __init__(self, seconds: float, slots: Semaphore | None = None, poll: float = DEFAULT.poll) -> None:
        self.seconds = seconds
        self.deadline = monotonic() + seconds
        self._slots, self._poll = slots or Semaphore(), poll
        self._held = self._waits = self._unwanted = False

    def give(self, seconds: float) -> None:
        """Have it take so long in all, once it is known how long that may be."""
        self.deadline += seconds - self.seconds
        self.seconds = seconds

    def take(self) -> None:
        if self._held:
            return
        began, self._waits = monotonic(), True
        while not (self._held or self._unwanted):
            self._held = self._slots.acquire(timeout=self._poll)
        self.deadline += monotonic() - began
        self._waits = False
        if self._unwanted:
            raise FailureError(Failure(FailureKind.CANCELLED, "nobody waits for the host any more"))

    def free(self) -> None:
        if self._held:
            self._slots.release()
            self._held = False

    def refuse(self) -> None:
        """Let `take` fail, as nobody wants the host any more."""
        self._unwanted = True

    def left(self, grace: float = 0.0) -> float:
        """Seconds until the deadline and some more; the clock stands still while it waits for the slot."""
        return self._poll if self._waits else self.deadline + grace - monotonic()


class Login(Protocol):
    """How to become somebody on a hop: paramiko's authentication strategy. `used`: what it took."""

    used: str

    def authenticate(self, transport: "paramiko.Transport") -> None: ...


MakeLogin = Callable[[Settings, float], Login]
"""For a hop, within a deadline."""


def connect(
    hops: Sequence[Settings],
    policy: HostKeys | None,
    slot: HandshakeSlot,
    login: MakeLogin = Keys,
    timeouts: Timeouts = DEFAULT,
) -> "Connection":
    """Open every hop, or raise FailureError. `login` is for the last one; jump hosts always need keys.

    Takes the slot after the TCP connect; before it where a jump host or a ProxyCommand would bear the connects of
    all hosts at once.
    """
    *jumps, host = hops
    connection = Connection(host, policy, slot, timeouts)
    slot.give(max(hop.connect_seconds for hop in hops))
    try:
        if jumps or host.proxy_command:
            slot.take()
        for jump in jumps:
            with _on_the_way_to(host):
                connection.reach(jump, Keys)
        connection.reach(host, login)
    except BaseException:
        connection.close()
        raise
    finally:
        slot.free()
    return connection


@contextmanager
def _on_the_way_to(host: Settings) -> Iterator[None]:
    """A jump host's refusal is reported under the name of the host behind it, so it says what they have to do."""
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
    policy: HostKeys | None
    slot: HandshakeSlot
    timeouts: Timeouts
    login: str = ""
    warning: str = ""
    had_session: bool = False
    _open: list[Any] = field(default_factory=list)  # Fabric has no types
    _via: Settings | None = None
    _heard: Heard = field(default_factory=Heard)  # of the hop that is being reached
    _proxy: ProxyCommand | None = None
    _undo: ExitStack = field(default_factory=ExitStack)

    @property
    def transport(self) -> "paramiko.Transport":
        transport: paramiko.Transport = self._open[-1].transport
        return transport

    @property
    def alive(self) -> bool:
        return self.transport.is_active()

    def reach(self, hop: Settings, login: MakeLogin) -> None:
        """One hop further. A server that closes the connection before the login is tried again."""
        for pause in (*self.timeouts.reconnect, None):
            problem = self._attempt(hop, login)
            if problem is None:
                return
            # Varied only so that hosts do not come back all at once.
            wait = (pause or 0.0) * random.uniform(0.5, 1.5)  # noqa: S311
            if pause is None or not hung_up(problem) or wait > self.slot.left():
                raise FailureError(self._explain(problem, hop)) from problem
            time.sleep(wait)

    def _attempt(self, hop: Settings, login: MakeLogin) -> Exception | None:
        try:
            self._step(hop, login)
        except FailureError as refused:
            refused.failure = hinted(refused.failure, hop)
            raise
        except Exception as error:  # noqa: BLE001 - a server that talks nonsense can cause any
            return error
        return None

    def _explain(self, problem: Exception, hop: Settings) -> Failure:
        words = self._open[-1].transport.heard.refused_channel if self._open else ""
        seconds = self.slot.seconds if monotonic() >= self.slot.deadline else None
        return hinted(explain(problem, hop, Circumstances(self._via, words, self._heard, seconds)), hop)

    def _step(self, hop: Settings, make: MakeLogin) -> None:
        with ExitStack() as undo:
            wire, self._heard = None, Heard()
            if not self._open:  # the other hops have the one before them
                wire = dial(hop, self.slot.deadline, undo, self.timeouts.unacknowledged, self._heard)
                import_fabric()
                self.slot.take()
            login, guard = make(hop, self.slot.deadline), HostKeyPolicy(hop, self.policy, self.slot.deadline)
            fabric = self._fabric(hop, login, guard.algorithms, wire)
            # Fabric accepts any host key unless told otherwise, of gateways too.
            fabric.client.set_missing_host_key_policy(guard)
            undo.callback(hang_up, fabric.client, self.timeouts.hang_up)
            fabric.open()
            keep_alive(fabric.transport, self.timeouts.keepalive, self.timeouts.unanswered)
            self._open.append(fabric)
            self._via = hop
            self.warning = "; ".join(filter(None, (self.warning, guard.warning)))
            self.login = f"as {hop.user}, {login.used}"
            self._proxy = self._proxy or self._heard.proxy
            self._undo.push(undo.pop_all())

    def _fabric(
        self, hop: Settings, login: Login, algorithms: Sequence[str], wire: "socket.socket | None"
    ) -> Any:
        left = max(self.slot.left(), 0.001)
        options = {
            "timeout": left,
            "banner_timeout": left,
            "auth_timeout": left,
            "channel_timeout": left,
            "auth_strategy": login,
            "transport_factory": transports(algorithms, hop, self._heard),
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

    @property
    def last_words(self) -> str:
        """Of the ProxyCommand that a lost connection came through."""
        proxy = self._proxy
        if proxy is None:
            return ""
        proxy.end(MOMENT)
        return proxy.last_words

    def close(self) -> None:
        with suppress(Exception):
            self._undo.close()
