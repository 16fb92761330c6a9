"""Lines that run something in a container, and the Python that programs of ours get there."""

from orchestrator import payload
from orchestrator.model.cluster import Node
from orchestrator.payload.shell import PYTHON
from orchestrator.plan.command import Command, Script

FIND_PYTHON = Script("python", PYTHON)
INSPECT = Script("inspect-server", payload.IF_SERVED + PYTHON)
"""The same for the supervisor of a model's server, if there is one."""


def inside(node: Node, container: str, words: tuple[str, ...], *options: str) -> Command:
    """Runs the words in a container."""
    return Command((*node.docker.command, "exec", *options, container, *words))


def python(*words: str, by: Script = FIND_PYTHON) -> tuple[str, ...]:
    """The words that run the container's Python with these."""
    return ("sh", "-c", by, "python3", *words)
