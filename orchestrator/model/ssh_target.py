"""A host as one types it after `ssh`: `[user@]host[:port]`, with ranges."""

import re

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import LOCAL
from orchestrator.model.inventory import addresses, values
from orchestrator.model.inventory.mistakes import quoted
from orchestrator.model.inventory.ranges import MOST, expand
from orchestrator.model.select import RESERVED

_TARGET = re.compile(r"(?:(?P<user>.*)@)?(?P<host>\[[0-9A-Fa-f.]*:[^]]*\]|[^:@]+)(?::(?P<port>[^:]*))?")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to SSH, and as whom; None: as `ssh` itself would."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        address = host_port(self.host, self.port) if self.port else self.host
        return f"{self.user}@{address}" if self.user else address


def host_port(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split(written: str) -> tuple[str | None, str, str | None] | None:
    """User, host and port of `[user@]host[:port]`, as they are written; None where it is nothing of the kind."""
    found = _TARGET.fullmatch(written)
    if not found:
        return None
    host = found["host"]
    return found["user"], host[1:-1] if ":" in host else host, found["port"]


def parse(written: str) -> tuple[Target, ...]:
    """All that a text stands for. ValueError: it is no host."""
    if addresses.is_ip(written):
        return (Target(written),)
    found = split(written)
    if "," in written:
        raise ValueError("separate machines by blanks, not by commas")
    if not found or found[0] == "" or not ("1" if found[2] is None else found[2]).isdecimal():
        raise ValueError('should be [user@]host[:port], such as "ubuntu@gpu1:2222"')
    user = None if found[0] is None else values.user(found[0])
    port = None if found[2] is None else values.port(found[2])
    host = found[1]
    if host == LOCAL and (user or port):
        raise ValueError(f"{quoted(LOCAL)} is this machine, reached without SSH: write it alone")
    return tuple(Target(each, user, port) for each in expand(addresses.host(host)))


def parse_all(words: list[str]) -> tuple[Target, ...]:
    """All that several texts stand for. ValueError: one is no host, or comes twice."""
    targets = tuple(target for word in words for target in _parse_named(word))
    twice = next((each for each in targets if targets.count(each) > 1), None)
    if twice:
        raise ValueError(f"{quoted(str(twice))} is there twice")
    if not targets:
        raise ValueError("name at least one machine")
    if len(targets) > MOST:
        raise ValueError(f"these are {len(targets):,} hosts; a cluster has at most {MOST:,}")
    return targets


def _parse_named(word: str) -> tuple[Target, ...]:
    try:
        return parse(word)
    except ValueError as wrong:
        raise ValueError(f"{quoted(word)}: {wrong}") from None


def names(targets: tuple[Target, ...]) -> tuple[str, ...]:
    """What to call each: its host, unless that is another's too, or cannot be a container's name."""
    hosts = [each.host for each in targets]
    return tuple(_name(each, hosts.count(each.host), i) for i, each in enumerate(targets, 1))


def _name(target: Target, alike: int, number: int) -> str:
    if not addresses.is_name(target.host) or target.host in RESERVED:
        return f"gpu{number}"
    return target.host if alike == 1 else f"{target.host}-{target.port or number}"
