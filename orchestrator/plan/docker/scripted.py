"""A fixed script as a command."""

from orchestrator.model.cluster import Node
from orchestrator.plan.command import Command


def scripted(text: str, name: str, node: Node, *arguments: str, interpreter: str = "sh") -> Command:
    """A fixed script; what the user wrote reaches it as arguments and is never read as code."""
    return Command((interpreter, "-c", text, name, " ".join(node.docker.command), *arguments))
