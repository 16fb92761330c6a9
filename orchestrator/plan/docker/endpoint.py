"""Endpoint of `docker`: the engine that a node's command speaks to, and what makes that the system's own."""

from itertools import pairwise

from orchestrator.model.cluster import Node
from orchestrator.plan.command import Command
from orchestrator.plan.remedies import SYSTEMS_SOCKET

OPTIONS = ("-H", "--host", "-c", "--context")


def default_context(node: Node) -> Command:
    """Makes the context that the system's Docker is in the current one."""
    return Command((*node.docker.command, "context", "use", "default"))


def at_systems_socket(node: Node) -> Command:
    """The node's command, told to speak to the system's Docker."""
    return Command((*node.docker.command, "-H", SYSTEMS_SOCKET))


def podman_here(node: Node) -> Command:
    """The same for podman."""
    return Command((*node.docker.command, "--remote=false"))


def is_in_command(node: Node) -> bool:
    """Whether the node's command itself names an endpoint. Options of `sudo` stand before `docker`."""
    options = Command(node.docker.command).shown().partition("docker ")[2].split()
    return any(word.partition("=")[0] in OPTIONS for word in options)


def is_by_variables(node: Node) -> bool:
    """Whether variables may name it. `sudo` does not pass them on, options and `env -u` come before them."""
    return len(node.docker.command) == 1


def argument(node: Node, option: str) -> str:
    """The last value of an option of `docker run` in the inventory; empty where it is not there."""
    args = node.docker.args
    apart = [(i, value) for i, (name, value) in enumerate(pairwise(args)) if name == option]
    attached = [(i, word.partition("=")[2]) for i, word in enumerate(args) if word.startswith(f"{option}=")]
    return max((*apart, *attached), default=(0, ""))[1]
