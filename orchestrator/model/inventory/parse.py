"""Reads an inventory: a file → its source → what is written in it → the cluster; or every mistake in the file."""

from orchestrator.model.cluster import Cluster
from orchestrator.model.inventory.mistakes import Fault, InventoryError, did_you_mean
from orchestrator.model.inventory.models import Inventory
from orchestrator.model.inventory.resolve import resolve
from orchestrator.model.inventory.rules import check_rules
from orchestrator.model.inventory.yaml_source import Source, read

_ANY_NETWORK = "10.0.0.0/8"
FOREIGN = (
    "is this a file of another tool? An inventory has `cluster`, `image` and `head`:"
    " `raycluster config example` prints one"
)


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


def parse(source: Source) -> Inventory | InventoryError:
    """The inventory, if nothing at all is wrong: in the YAML, in a value, or between hosts.

    A file with a faulty value is still checked for what is wrong between the rest of it.
    """
    if key := _key_of_another_tool(source.data):
        return InventoryError.of([*source.mistakes, source.mistake(Fault((key,), FOREIGN, at_key=True))])
    faults: list[Fault] = []
    inventory = Inventory.read(source.data, (), faults)
    if inventory and any(fault.path[0] == "network" or len(fault.path) == 1 for fault in faults):
        # an unknown key may have been meant to be `network`
        inventory = Inventory(**inventory.given() | {"network": _ANY_NETWORK})
    faults += check_rules(inventory) if inventory else ()
    if inventory and not faults and not source.mistakes:
        return inventory
    return InventoryError.of([*source.mistakes, *map(source.mistake, faults)])


def _key_of_another_tool(written: object) -> str | None:
    """The first key that is none of ours, where none of those that have to be there is, nor a word that is near one."""
    if not isinstance(written, dict):
        return None
    known = Inventory.entries()
    needed = [name for name, each in known.items() if each.required]
    unknown = [each for each in written if each not in known]
    near = any(each in needed or did_you_mean(each, needed) for each in written)
    return None if near else next(iter(unknown), None)
