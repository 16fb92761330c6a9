"""The way from a file to a cluster."""

from orchestrator.model.cluster import Cluster
from orchestrator.model.inventory import Inventory
from orchestrator.model.parse import parse
from orchestrator.model.problem import Problems
from orchestrator.model.resolve import resolve
from orchestrator.model.source import Source, read


def load(path: str) -> Cluster | Problems:
    """The cluster that a file describes (`-`: standard input), or all that is wrong with the file."""
    written = load_written(path)
    return written if isinstance(written, Problems) else resolve(written[1])


def load_written(path: str) -> tuple[Source, Inventory] | Problems:
    """The same as it is written: nothing merged or filled in."""
    source = read(path)
    if isinstance(source, Problems):
        return source
    inventory = parse(source)
    return inventory if isinstance(inventory, Problems) else (source, inventory)
