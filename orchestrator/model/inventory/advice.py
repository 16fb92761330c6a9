"""Changes of an inventory that a person is advised to make: in which file, on which line, under which key."""

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.frozen import dataclass
from orchestrator.model.inventory.fields import Section
from orchestrator.model.inventory.mistakes import Path
from orchestrator.model.inventory.models import Host, Image, Inventory
from orchestrator.model.inventory.yaml_source import Source

OF_MACHINES = {"host", "ip", "name"}
"""Keys that each machine has for itself."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A change for some hosts. `values`: as YAML has them; `adds`: they are further items of a list."""

    key: tuple[str, ...]
    values: tuple[str, ...]
    adds: bool = False

    @property
    def pair(self) -> str:
        """`pull: never`, as it stands under its section."""
        values = ", ".join(self.values)
        return f"{self.key[-1]}: {f'[{values}]' if self.adds else values}"

    @property
    def whole(self) -> str:
        """`docker: {pull: never}`, as it stands where its section is not there yet."""
        return f"{self.key[0]}: {{{self.pair}}}" if self.key[1:] else self.pair


def _is_of_hosts(key: tuple[str, ...]) -> bool:
    """Whether a host may have it for itself."""
    own = Host.entries().get(key[0])
    section = own.kind if own and isinstance(own.kind, type) and issubclass(own.kind, Section) else None
    return own is not None and (section is None or not key[1:] or key[1] in section.entries())


def advised(advice: Advice, _hosts: tuple[str, ...] = ()) -> str:
    """The change where there is no file yet."""
    return f"in the inventory, write `{advice.whole}`"


def named(key: tuple[str, ...], _hosts: tuple[str, ...] = ()) -> str:
    """The key where there is no file yet."""
    return f"`{'.'.join(key)}`"


@dataclass(frozen=True, slots=True)
class Written:
    """An inventory as it is written: the file's positions, and what they are of."""

    source: Source
    inventory: Inventory

    def advise(self, advice: Advice, hosts: tuple[str, ...] = ()) -> str:
        """Where and how to make the change, for these hosts or, where none is named, for all."""
        if advice.key == ("image",) and isinstance(self.inventory.image, Image):
            return self.advise(replace(advice, key=("image", "from")), hosts)
        entries = {each.name: path for path, host in self.inventory.hosts() for each in host.machines()}
        if hosts and not entries.keys() & set(hosts):
            return advised(advice)  # one that is to join
        concerned = [host for host in hosts if host in entries] or list(entries)
        alone = advice.key[0] in OF_MACHINES or (len(concerned) < len(entries) and _is_of_hosts(advice.key))
        where: dict[Path, list[str]] = {}
        for host in concerned:
            path = entries[host]
            own = alone or (not advice.adds and (*path, *advice.key) in self.source.keys)  # lists append
            where.setdefault(path if own else (), []).append(host)
        return "; ".join(self._advise(advice, path, names, entries) for path, names in where.items())

    def where(self, key: tuple[str, ...], hosts: tuple[str, ...] = ()) -> str:
        """The key, and the lines on which these hosts have it."""
        entries = {each.name: path for path, host in self.inventory.hosts() for each in host.machines()}
        paths = dict.fromkeys(
            next((path for path in ((*entries.get(host, ()), *key), key) if path in self.source.keys), ())
            for host in hosts or ("",)
        )
        places = ", ".join(self._place(path) for path in paths if path)
        return named(key) + (f" ({places})" if places else "")

    def _advise(self, advice: Advice, path: Path, hosts: Sequence[str], entries: dict[str, Path]) -> str:
        names = ", ".join(hosts)
        if path and sum(place == path for place in entries.values()) > len(hosts):  # a range
            apart = "entries of their own" if hosts[1:] else "an entry of its own"
            return f"{self._place(path)}: give {names} {apart}, with `{advice.whole}`"
        key, section = (*path, *advice.key), (*path, *advice.key[:-1])
        if key in self.source.keys and advice.adds:
            return f"{self._place(key)}: add `{', '.join(advice.values)}` to `{'.'.join(advice.key)}`"
        if key in self.source.keys:
            return f"{self._place(key)}: write `{advice.pair}`"
        if advice.key[1:] and section in self.source.keys:
            return f"{self._place(section)}: under `{advice.key[0]}`, add `{advice.pair}`"
        if path:
            return f"{self._place(path)}: to the entry of {names}, add `{advice.whole}`"
        return f"{self.source.file}: add `{advice.whole}`"

    def _place(self, path: Path) -> str:
        """`inventory.yaml:4`."""
        position = self.source.keys.get(path) or self.source.values[path]
        return f"{position.file}:{position.line}"
