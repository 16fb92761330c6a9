"""Servers of models on the cluster: each by its name, and what they hold of it, as their supervisors report."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from difflib import get_close_matches

from orchestrator.frozen import dataclass
from orchestrator.model import redact
from orchestrator.model.cluster import Cluster, Model, server_name
from orchestrator.plan.facts.host import Facts, HostFacts
from orchestrator.plan.problem import plural
from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.state import Served
from orchestrator.plan.typed import ours, relined

MOST_HOSTS = 3
"""So many are named one by one."""


@dataclass(frozen=True, slots=True)
class Server:
    """A model's server. `host`: the one of its first rank, which answers; `ranks`: what each host reports of it.

    `first`: the report of the first rank, None where its host has none.
    """

    name: str
    host: str
    ranks: Mapping[str, Served]

    @property
    def first(self) -> Served | None:
        return self.ranks.get(self.host)

    @property
    def served(self) -> Served:
        """What tells most of it: the first rank, or another."""
        return self.first or next(iter(self.ranks.values()))

    @property
    def model(self) -> Model:
        return self.served.model

    @property
    def title(self) -> str:
        """What it is called, for people."""
        return title(self.name, self.model.name)

    @property
    def supervised(self) -> bool:
        """Whether somebody keeps it running."""
        return any(each.supervised for each in self.ranks.values())

    @property
    def hosts(self) -> tuple[str, ...]:
        """Those that it is known to take part on, the first one first."""
        served = self.served
        return served.hosts or tuple(dict.fromkeys((self.host, *(served.share.gpus if served.share else ()))))


def title(name: str, model: str) -> str:
    """What a server is called, for people: as its model, with a name before that which tells more."""
    return model if name == server_name(model) else f"{name} ({model})"


def servers(facts: Facts) -> dict[str, Server]:
    """All that is served, by name."""
    reports: dict[str, list[tuple[str, Served]]] = {}
    for host, here in facts.items():
        for each in here.served if isinstance(here, HostFacts) else ():
            reports.setdefault(each.name, []).append((host, each))
    return {name: _server(name, reports[name]) for name in sorted(reports)}


def _server(name: str, reports: list[tuple[str, Served]]) -> Server:
    """Of several that had the name in turn, the one that lives, or else the last one."""
    host, newest = max(reports, key=lambda one: (one[1].supervised, not one[1].rank, -one[1].since))
    ranks = {at: each for at, each in reports if newest.run and each.run == newest.run}
    return Server(name, newest.hosts[0] if newest.hosts else host, ranks or {host: newest})


def at(server: Server, facts: Facts, host: str) -> Served | None:
    """What a host reports of the server's name, be it of this life or of one before."""
    here = facts.get(host)
    reports = here.served if isinstance(here, HostFacts) else ()
    return next((each for each in reports if each.name == server.name), None)


def meant(word: str, there: Mapping[str, Server]) -> tuple[str, ...]:
    """The names that a word stands for: a server's own, or those of all that serve a model of that name."""
    if word in there:
        return (word,)
    return tuple(name for name, each in there.items() if each.model.name == word)


def nearest(word: str, names: Iterable[str]) -> str:
    """The name that may have been meant by a word that is none; empty where nothing is near."""
    return next(iter(get_close_matches(word, names, 1)), "")


def again(model: Model, *, force: bool = False) -> str:
    """The line that serves it once more; a secret among its arguments is left to whoever knows it."""
    usual = model.named in ("", server_name(model.name))
    named = () if usual else ("--name", model.named)
    limit = ("-l", model.hosts) if model.hosts else ()
    counted = ("--gpus", str(model.gpus)) if model.gpus else ()
    port = ("--port", str(model.port)) if model.port else ()
    options = (*counted, *port, *(("--force",) if force else ()))
    shows = model.args and redact.arguments(model.args) == model.args
    return ours("serve", model.name, *named, *limit, *options, *(("--", *model.args) if shows else ()))


def with_args(model: Model, args: tuple[str, ...], *words: str) -> str:
    """The line that serves it with these arguments and words; the words alone, where a key is among the others."""
    whole = (*args, *words)
    if redact.arguments(whole) != whole:
        return f"`-- {' '.join(words)}`" if words else "leave it out"
    return again(replace(model, args=whole))


def for_model(text: str, model: Model) -> str:
    """A remedy that speaks of any `MODEL`, with this one in its lines, as it is served."""

    def line(command: str, words: tuple[str, ...]) -> str | None:
        if "MODEL" not in words:
            return None
        if command == "serve" and words[:2] == ("MODEL", "--"):
            more, given = words[2:], arguments.read(words[2:])
            asked = replace(model, port=0) if arguments.PORT in given else model
            return with_args(asked, arguments.without(model.args, *given.values), *more)
        return ours(command, *(model.name if word == "MODEL" else word for word in words))

    return relined(text, line)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is held. `gpus`: by host, how many each server has, None for all; `devices`: by host; `ports`: by whom.

    `models`: what each server serves.
    """

    models: Mapping[str, Model] = field(default_factory=dict)
    gpus: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)
    devices: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ports: Mapping[int, str] = field(default_factory=dict)

    def free(self, host: str, total: int) -> int:
        """How many of a host's GPUs are."""
        held = self.gpus.get(host, {}).values()
        return 0 if None in held else max(0, total - sum(each or 0 for each in held))

    def holders(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """Who has GPUs on any of those hosts."""
        return tuple(sorted({name for host in hosts for name in self.gpus.get(host, {})}))

    def of(self, name: str) -> frozenset[str]:
        """The hosts on which a server has GPUs."""
        return frozenset(host for host, held in self.gpus.items() if name in held)

    def total(self, name: str) -> int:
        """How many GPUs a server has, as far as it is known."""
        return sum(held.get(name) or 0 for held in self.gpus.values())

    def who(self, hosts: Iterable[str]) -> str:
        """The same in words: `a has 8 on gpu1, b has 16 on gpu2, gpu3`."""
        held: dict[str, dict[str, int | None]] = {}
        for host in hosts:
            for name, count in self.gpus.get(host, {}).items():
                held.setdefault(name, {})[host] = count
        return ", ".join(f"{name} has {_much(each)}" for name, each in held.items())


def _much(held: Mapping[str, int | None]) -> str:
    hosts = ", ".join(held) if len(held) <= MOST_HOSTS else plural(len(held), "host")
    return (
        f"all on {hosts}"
        if None in held.values()
        else f"{sum(each or 0 for each in held.values())} on {hosts}"
    )


def ledger(cluster: Cluster, facts: Facts, but: str = "") -> Ledger:
    """What all servers hold but the one of that name.

    One that has ended without ever having answered holds nothing; one whose supervisor was killed may still run.
    """
    models: dict[str, Model] = {}
    gpus: dict[str, dict[str, int | None]] = {}
    devices: dict[str, set[str]] = {}
    ports: dict[int, str] = {}
    for each in _holding(facts, but):
        share, models[each.name] = each.share, each.model
        if share is None:
            ports |= {int(port): each.name for port in re.findall(r":(\d+)$", each.url)}
            for host in each.hosts or tuple(node.name for node in cluster.nodes):
                gpus.setdefault(host, {})[each.name] = None
            continue
        ports |= dict.fromkeys((share.port, *share.ports), each.name)
        for host, count in share.gpus.items():
            gpus.setdefault(host, {})[each.name] = count
        for host, names in share.devices.items():
            devices.setdefault(host, set()).update(names)
    return Ledger(models, gpus, {host: frozenset(names) for host, names in devices.items()}, ports)


def _holding(facts: Facts, but: str) -> Iterator[Served]:
    for here in facts.values():
        for each in here.served if isinstance(here, HostFacts) else ():
            if each.name != but and (each.supervised or each.abandoned):
                yield each


def first_free_port(first: int, taken: Iterable[int]) -> int:
    """The first port from there on that nobody has."""
    held = set(taken)
    return next(port for port in range(first, 65536) if port not in held)


def listeners(facts: Facts, host: str) -> frozenset[int]:
    """The ports of a host at which something listens, as far as it is known."""
    here = facts.get(host)
    return (
        frozenset(each.port for each in (here.listeners or ()))
        if isinstance(here, HostFacts)
        else frozenset()
    )
