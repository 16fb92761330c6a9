"""A host as written → the machines it stands for."""

from dataclasses import dataclass
from itertools import cycle

from orchestrator.model.inventory.addresses import normal
from orchestrator.model.inventory.ranges import count, expand
from orchestrator.model.inventory.schema_models import Host


@dataclass(frozen=True, slots=True)
class Member:
    """What tells one machine of a range from the others."""

    name: str
    host: str
    ip: str | None


def size(host: Host) -> int:
    """How many machines: as many as `host` names."""
    return count(host.host)


def members(host: Host) -> tuple[Member, ...]:
    """The machines, in the order of their ranges, which are known to be of one size."""
    hosts = expand(host.host)
    names = expand(host.name or host.host)
    ips = map(normal, expand(host.ip)) if host.ip else cycle([None])
    return tuple(Member(*member) for member in zip(names, hosts, ips, strict=False))
