"""A chain while it runs: begins a relay on each host, links them, watches, and mends the chain where one is lost.

What is to be done, `plan/transfer/chain.py` decides; the bytes themselves never come here.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from queue import Empty, Queue
from threading import Event
from typing import Any, Protocol, Self

from orchestrator.frozen import dataclass
from orchestrator.plan.problem import exited, quoted
from orchestrator.plan.transfer.chain import PORTS, STUCK_SECONDS, Order, Pair, arrange, who_stands_still
from orchestrator.plan.transfer.hop import Hop
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transfer.certificates import Authority
from orchestrator.remote.transfer.relay_process import ENDED, RelayProcess, Said
from orchestrator.remote.transport import Failure, FailureKind, Transport

HISTORY = 20 << 20
"""Bytes of the stream that a relay keeps; what hosts have under way is never more."""

ROUNDS = 3
"""Chains at most, where hosts have lost more than a neighbour still has: they begin anew."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The host has all of the stream, and its sink took it. `result`: what the sink has to say."""

    bytes: int
    result: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Unlinked:
    """The host can have no part in a chain, and why; nothing was sent to it. `server`: whom it does not reach."""

    why: str
    server: str = ""


Outcome = Arrived | Failure | Unlinked


class Listener(Protocol):
    """Who is told of what happens in a chain."""

    def moved(self, host: str, came: int) -> None:
        """So many bytes have come to the host."""

    def stored(self, host: str, came: int) -> None:
        """The sink has been given all of them, and has yet to end."""

    def told(self, host: str, facts: Said) -> None:
        """What a source or a sink reports of itself."""

    def noted(self, host: str, what: str, server: str = "") -> None:
        """Something that people should know and that stops nothing. `server`: whom the host does not reach."""


class Hosts(Protocol):
    """A transport for each host's name."""

    @property
    def timeouts(self) -> Timeouts: ...

    def __getitem__(self, host: str) -> Transport: ...


def run_chain(
    hops: Sequence[Hop],
    hosts: Hosts,
    listener: Listener,
    cancel: Event,
    limits: Mapping[str, float] | None = None,
) -> dict[str, Outcome]:
    """Brings the stream of the first hop to the others; what became of each of these."""
    source, *targets = hops
    outcomes = dict[str, Outcome]()
    for _ in range(ROUNDS):
        with Chain([source, *targets], hosts, listener, cancel, limits or {}) as chain:
            chain.run()
        outcomes |= chain.outcomes
        targets = [hop for hop in targets if hop.host in chain.again]
        if not targets:
            break
    lost = Failure(FailureKind.UNREACHABLE, "the hosts before it were lost again and again")
    return outcomes | {hop.host: lost for hop in targets}


class Chain:
    """One chain, as a context: at its end no relay is left."""

    def __init__(
        self,
        hops: Sequence[Hop],
        hosts: Hosts,
        listener: Listener,
        cancel: Event,
        limits: Mapping[str, float],
    ) -> None:
        self.outcomes, self.again = dict[str, Outcome](), set[str]()
        self._hops, self._hosts, self._listener, self._cancel = (
            {hop.host: hop for hop in hops},
            hosts,
            listener,
            cancel,
        )
        self._limits, self._timeouts = limits, hosts.timeouts
        self._source, self._targets = hops[0].host, tuple(hop.host for hop in hops[1:])
        self._names = {hop.host: f"relay-{number}" for number, hop in enumerate(hops)}
        self._hosts_by_name = {name: host for host, name in self._names.items()}
        self._heard = Queue[tuple[str, Said]]()
        self._relays = dict[str, RelayProcess]()
        self._at, self._complete = dict[str, tuple[str, int]](), set[str]()
        self._next, self._upstream = dict[str, str | None](), dict[str, str]()
        self._linked, self._failed = set[Pair](), set[Pair]()
        self._stuck = dict[str, float]()
        self._order = Order(())
        self._beat, self._is_started = 0.0, False

    def __enter__(self) -> Self:
        authority = Authority()
        for host, hop in self._hops.items():
            relay = RelayProcess(
                host, self._hosts[host], hop.command, lambda host, said: self._heard.put((host, said))
            )
            relay.tell(self._config(hop, authority))
            self._relays[host] = relay
        return self

    def __exit__(self, *_: object) -> None:
        for relay in self._relays.values():
            relay.end()
        until = time.monotonic() + self._timeouts.relay_parting
        for relay in self._relays.values():
            relay.join(max(0.0, until - time.monotonic()))

    def _config(self, hop: Hop, authority: Authority) -> dict[str, Any]:
        me = authority.identity(self._names[hop.host])
        return {
            "cert": me.certificate,
            "key": me.key,
            "ca": me.authority,
            "ip": hop.ip,
            "network": hop.network,
            "ports": [PORTS.start, PORTS.stop - 1],
            "history": HISTORY,
            "limits": {"still": STUCK_SECONDS, **self._limits},
            "source": dict(hop.source),
            "sink": dict(hop.sink),
        }

    def run(self) -> None:
        """Until every host has an outcome, or is to begin anew."""
        if not self._listen():
            return
        self._link()
        if not self._cancel.is_set() and len(self._order.hosts) > 1:
            self._is_started = True
            self._relays[self._source].tell({"start": True})
            self._flow()
        for host in self._waiting():
            self.outcomes[host] = Failure(FailureKind.CANCELLED, "interrupted")

    def _waiting(self) -> tuple[str, ...]:
        return tuple(host for host in self._targets if host not in self.outcomes and host not in self.again)

    def _listen(self) -> bool:
        """Whether the source's relay listens, and another's. Those that do not have no part in the chain."""
        until = time.monotonic() + self._timeouts.relay_start
        while self._missing() and time.monotonic() < until and not self._cancel.is_set():
            self._hear()
        for host in self._missing():
            self._leave_out(host, "its relay does not begin")
        return self._source in self._at and bool(self._waiting())

    def _missing(self) -> tuple[str, ...]:
        """Those of whose relay nothing is known yet."""
        waiting = self._waiting()
        return tuple(host for host in (self._source, *waiting) if host not in self._at) if waiting else ()

    def _link(self) -> None:
        """Tries orders until there is one in which all have reached the one before them."""
        until = time.monotonic() + self._timeouts.relay_link
        while self._waiting() and not self._cancel.is_set():
            order = arrange(self._source, self._waiting(), self._failed)
            for host in order.left_out:
                server = next((server for server, who in sorted(self._failed) if who == host), self._source)
                self._leave_out(host, "does not reach {}:{} on {}".format(*self._at[server], server), server)
            if order.hosts != self._order.hosts:
                self._lay(order)
            if set(order.pairs) <= self._linked:
                return
            self._hear()
            if time.monotonic() > until:
                self._failed |= set(order.pairs) - self._linked
                until = time.monotonic() + self._timeouts.relay_link

    def _lay(self, order: Order) -> None:
        """Tells each relay whom to expect, and where to go, if that is not so already."""
        self._order = order
        for host in order.hosts:
            self._expect(host, order.behind(host))
        for server, host in order.pairs:
            if (server, host) not in self._linked or self._upstream.get(host) != server:
                self._go(host, server)

    def _expect(self, host: str, behind: str | None) -> None:
        name = self._names[behind] if behind else None
        if host not in self._next or self._next[host] != name:
            self._next[host] = name
            self._relays[host].tell({"next": name})

    def _go(self, host: str, server: str) -> None:
        self._linked = {pair for pair in self._linked if pair[1] != host}
        self._upstream[host] = server
        ip, port = self._at[server]
        self._relays[host].tell({"upstream": {"ip": ip, "port": port, "peer": self._names[server]}})

    def _flow(self) -> None:
        while self._waiting() and not self._cancel.is_set():
            self._hear()
            now = time.monotonic()
            silent = {host: now - self._relays[host].heard_at for host in self._order.hosts}
            if still := who_stands_still(self._order, self._stuck, silent):
                self._lose(still, self._why_still(still))

    def _why_still(self, host: str) -> Failure:
        before = self._order.before(host)
        seconds = self._stuck[before] if before else 0.0
        less = ", and nothing was heard of it" if seconds < STUCK_SECONDS else ""
        fix = "does Docker hang there, or its disk? is the network to it up?"
        return Failure(FailureKind.TIMEOUT, f"took nothing for {seconds:.0f} s{less}", fix=fix)

    def _hear(self) -> None:
        """What has been said since, or after a moment."""
        if time.monotonic() >= self._beat:
            self._beat = time.monotonic() + self._timeouts.heartbeat
            for relay in self._relays.values():
                relay.tell()
        try:
            host, said = self._heard.get(timeout=0.2)
        except Empty:
            return
        self._take(host, said)

    def _take(self, host: str, said: Said) -> None:  # noqa: C901 - one for each kind
        match said["what"]:
            case "listening":
                self._at[host] = (said["ip"], said["port"])
            case "linked" if said["side"] == "upstream":
                self._linked.add((self._hosts_by_name[said["peer"]], host))
            case "unreached":
                self._unreached(host, self._hosts_by_name[said["peer"]], said)
            case "cut" if said["side"] == "upstream":
                self._cut(host, self._hosts_by_name[said["peer"]])
            case "gap":
                self._begin_anew(host)
            case "moved":
                self._moved(host, said)
            case "stored":
                self._listener.stored(host, said["bytes"])
            case "done":
                self.outcomes[host] = Arrived(said["bytes"], said.get("result"))
            case "failed":
                self._fails(host, said)
            case "stranger":
                what = f"somebody at {said['ip']} spoke to its relay without this run's certificate, and got nothing"
                self._listener.noted(host, f"{what} ({said['why']})")
            case "told":
                self._listener.told(host, said)
            case _ if said["what"] == ENDED:
                self._ended(host, said["failure"])

    def _moved(self, host: str, said: Said) -> None:
        self._stuck[host] = said.get("stuck", 0.0)
        if said["all"]:
            self._complete.add(host)
        if host != self._source and host not in self.outcomes:
            self._listener.moved(host, said["came"])

    def _fails(self, host: str, said: Said) -> None:
        if said["side"] == "relay":
            self._ended(host, Failure(FailureKind.EXIT, said["why"]))
        elif host == self._source:
            self._lose_first(host, _failure(said))
        else:
            self.outcomes.setdefault(host, _failure(said))

    def _unreached(self, host: str, server: str, said: Said) -> None:
        if self._upstream.get(host) != server:
            return  # it has been told of another meanwhile
        self._failed.add((server, host))
        self._listener.noted(
            host, f"does not reach {said['ip']}:{said['port']} on {server}: {said['why']}", server
        )
        if not self._is_started:
            return
        if server == self._source:
            self._lose(host, Failure(FailureKind.UNREACHABLE, f"no longer reaches {server}: {said['why']}"))
        else:
            self._lose(
                server, Failure(FailureKind.UNREACHABLE, f"{host} no longer reaches it: {said['why']}")
            )

    def _cut(self, host: str, server: str) -> None:
        """The bytes go on where they stopped, be it the same host that gives them."""
        if self._upstream.get(host) == server and host not in self._complete and server in self._order.hosts:
            self._go(host, server)

    def _begin_anew(self, host: str) -> None:
        at = self._order.hosts.index(host)
        for each in self._order.hosts[at:]:
            if each in self._waiting():
                self.again.add(each)
            self._relays[each].end()
        self._order = Order(self._order.hosts[:at], self._order.left_out)
        self._expect(self._order.hosts[-1], None)

    def _ended(self, host: str, failure: Failure) -> None:
        """Its relay is over, before it was told to end."""
        if self._is_started:
            self._lose(host, failure)
        else:
            self._leave_out(host, failure.message)

    def _lose(self, host: str, failure: Failure) -> None:
        """The host leaves, and who was behind it comes to the one before."""
        if host in self._targets and host not in self.again:
            self.outcomes.setdefault(host, failure)
        self._relays[host].end()
        if host not in self._order.hosts:
            return
        before = self._order.before(host)
        if before is None:
            self._lose_first(host, failure)
        else:
            self._stuck.pop(before, None)
            self._lay(self._order.without(host))

    def _lose_first(self, host: str, failure: Failure) -> None:
        """Who has all of it needs nobody before it, and gives it to those behind."""
        behind = self._order.behind(host)
        if behind in self._complete:
            self._order = self._order.without(host)
            return
        told = f"{host} stopped sending it: {failure.message}"
        for each in self._waiting():
            self.outcomes[each] = replace(failure, message=told)

    def _leave_out(self, host: str, why: str, server: str = "") -> None:
        """Nothing was sent to it yet, and nothing will be. Without the source, to nobody."""
        if host == self._source:
            for each in self._waiting():
                self.outcomes[each] = Unlinked(f"{host} has no relay: {why}")
        else:
            self.outcomes.setdefault(host, Unlinked(why, server))
        self._relays[host].end()


def _failure(said: Said) -> Failure:
    """What a relay says of its source or sink."""
    if said.get("stalled"):
        return Failure(FailureKind.TIMEOUT, said["why"])
    return Failure.of(exited(said["code"], said["why"]) if said.get("code") else quoted("", said["why"]))
