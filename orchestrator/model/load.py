"""The way from a file to a cluster."""

from orchestrator.model.cluster import Cluster
from orchestrator.model.parse import parse
from orchestrator.model.problem import Problems
from orchestrator.model.resolve import resolve
from orchestrator.model.source import read


def load(path: str) -> Cluster | Problems:
    """The cluster that a file describes (`-`: standard input), or all that is wrong with the file."""
    source = read(path)
    if isinstance(source, Problems):
        return source
    inventory = parse(source)
    return inventory if isinstance(inventory, Problems) else resolve(inventory)
