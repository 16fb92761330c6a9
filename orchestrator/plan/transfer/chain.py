"""Chains of hosts: their order, and what is to be done when one is not reached, stands still or is lost."""

from collections.abc import Collection, Mapping
from itertools import pairwise

from orchestrator.frozen import dataclass
from orchestrator.plan.ray.ports import WORKER_PORTS

PORTS = WORKER_PORTS
"""Where relays listen: the firewall's rule for Ray has opened these anyway."""

TRIES = 2
"""Hosts that may fail to reach another before that one counts as one that nobody reaches."""

STUCK_SECONDS, SILENT_SECONDS = 30.0, 8.0
"""For which a host may take nothing; and where nothing is heard from it either."""

Pair = tuple[str, str]
"""A host that serves the stream, and the one that is to come to it."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who comes after whom, the source first; and those for whom there is no place."""

    hosts: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def pairs(self) -> tuple[Pair, ...]:
        return tuple(pairwise(self.hosts))

    def before(self, host: str) -> str | None:
        at = self.hosts.index(host)
        return self.hosts[at - 1] if at else None

    def behind(self, host: str) -> str | None:
        at = self.hosts.index(host) + 1
        return self.hosts[at] if at < len(self.hosts) else None

    def without(self, host: str) -> "Order":
        """The same where a host has left: who was behind it comes to the one before it."""
        return Order(tuple(each for each in self.hosts if each != host), self.left_out)


def arrange(source: str, hosts: Collection[str], failed: Collection[Pair]) -> Order:
    """An order in which nobody has to reach a host that it has failed to reach. `hosts`: in the order of choice.

    Whoever was not reached is rather the last, whom nobody has to reach.
    """
    misses = {host: sum(server == host for server, _ in failed) for host in (source, *hosts)}
    if misses[source] >= min(TRIES, len(hosts)):
        return Order((source,), tuple(hosts))
    rest, order = list(hosts), [source]
    while rest and misses[order[-1]] < TRIES:
        free = [each for each in rest if (order[-1], each) not in failed]
        if not free:
            break
        order.append(min(free, key=lambda each: misses[each]))
        rest.remove(order[-1])
    return Order(tuple(order), tuple(rest))


def who_stands_still(order: Order, stuck: Mapping[str, float], silent: Mapping[str, float]) -> str | None:
    """The host that holds up the others, if one has for too long.

    `stuck`: by host, the seconds in which the one behind it has taken nothing; `silent`: those in which nothing was
    heard of a host. Where one takes nothing, all before it soon give nothing: it is the last such that counts.
    """
    for server, behind in reversed(order.pairs):
        seconds = stuck.get(server, 0.0)
        if seconds >= STUCK_SECONDS or (seconds >= SILENT_SECONDS <= silent.get(behind, 0.0)):
            return behind
    return None
