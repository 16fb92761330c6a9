"""A source → the inventory it holds, or everything that is wrong with it."""

from copy import deepcopy
from typing import Any

from orchestrator.model.cluster import Cluster
from orchestrator.model.inventory.messages import described
from orchestrator.model.inventory.mistakes import Fault, InventoryError, Path
from orchestrator.model.inventory.resolve import resolve
from orchestrator.model.inventory.rules import broken
from orchestrator.model.inventory.schema_models import Host, Inventory, validate
from orchestrator.model.inventory.yaml_source import Source, read


def load(path: str) -> Cluster | InventoryError:
    """The cluster that a file describes (`-`: standard input), or all that is wrong with the file."""
    written = load_written(path)
    return written if isinstance(written, InventoryError) else resolve(written[1])


def load_written(path: str) -> tuple[Source, Inventory] | InventoryError:
    """The same as it is written: nothing merged or filled in."""
    source = read(path)
    if isinstance(source, InventoryError):
        return source
    inventory = parse(source)
    return inventory if isinstance(inventory, InventoryError) else (source, inventory)


_UNREAD = Host.model_construct(host="")  # keeps the place of a host that cannot be read
_MOST = 1000  # errors looked at; nobody reads more, and each takes its time
_ANY_NETWORK = "10.0.0.0/8"


def parse(source: Source) -> Inventory | InventoryError:
    """The inventory, if nothing at all is wrong: in the YAML, in a value, or between hosts."""
    read = validate(source.data)
    if isinstance(read, Inventory):
        faults = list(broken(read))
    else:
        faults = _with_broken_rules(source.data, described(read[:_MOST]))
    if isinstance(read, Inventory) and not faults and not source.mistakes:
        return read
    return InventoryError.of([*source.mistakes, *map(source.mistake, faults)])


def _with_broken_rules(data: object, faults: list[Fault]) -> list[Fault]:
    """A file with a faulty value is still checked for what is wrong between the rest of it."""
    rest = _salvage(data, faults) if isinstance(data, dict) else None
    return [*faults, *broken(rest)] if rest else faults


def _salvage(data: dict[str, Any], faults: list[Fault]) -> Inventory | None:
    """What can be read of a faulty file."""
    rest = deepcopy(data)
    for fault in faults:
        _take_out(rest, _spoiled(fault.path))
    if any(fault.path[:1] == ("network",) or len(fault.path) == 1 for fault in faults):
        rest["network"] = _ANY_NETWORK  # an unknown key may have been meant to be `network`
    read = validate({"cluster": "unread", "image": "unread", "head": _UNREAD} | rest)
    return read if isinstance(read, Inventory) else None


def _spoiled(path: Path) -> Path:
    """A fault in what a host is spoils the host; one further in, `ssh.port` for example, only itself."""
    host = {"head": path[:1], "workers": path[:2]}.get(str(path[0]), ()) if path else ()
    return host if len(path) <= len(host) + 1 and host else path


def _take_out(data: Any, path: Path) -> None:
    """Remove what is at a path; in a list, put something harmless in its place."""
    try:
        for key in path[:-1]:
            data = data[key]
    except (KeyError, TypeError):  # taken out before
        return
    if isinstance(data, dict):
        data.pop(path[-1], None)
    elif isinstance(data, list):
        data[int(path[-1])] = _UNREAD if path[0] == "workers" and len(path) == 2 else f"unread{path[-1]}"  # noqa: PLR2004
