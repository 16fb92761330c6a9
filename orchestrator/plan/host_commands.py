"""Commands for a host that are not Docker's: the network, and the token file."""

from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.secret import Secret
from orchestrator.plan import scripts
from orchestrator.plan.command import Command, Script

TOKEN = "ray-token"  # noqa: S105 - the name that it is shown by


def clock() -> Command:
    """Prints the host's time, in seconds since the epoch."""
    return Command(("date", "+%s.%N"))


def check_tcp(ip: str, port: int) -> Command:
    """Succeeds when this host can open a TCP connection to `ip`:`port` within 5 s."""
    return Script("reach", scripts.REACH).command(ip, str(port))


def has(program: str) -> Command:
    """Succeeds where this host has the program."""
    return Script("has", scripts.HAS).command(program)


def stay() -> Command:
    """Stays for as long as its standard input is open, and says nothing."""
    return Script("stay", scripts.STAY).command()


def make_folder(path: str) -> Command:
    """Makes a folder, as the user who logs in."""
    return Command(("mkdir", "-p", path))


def keep_token(cluster: Cluster, node: Node, token: Secret) -> Command:
    """Writes Ray's token from standard input, into a folder that only its owner may enter.

    A file for each node: hosts may share one home over the network, and each takes away its own.
    """
    return Script("keep-token", scripts.KEEP_TOKEN).command(cluster.name, node.name, stdin=(token,))


def read_token(cluster: Cluster, node: Node) -> Command:
    """Prints the token that the node has; fails where it has none."""
    return Command(("cat", f".raycluster/{cluster.name}/{node.name}.token"))


def forget_token(cluster: Cluster, node: Node) -> Command:
    """Removes the node's token from the host."""
    return Script("forget-token", scripts.FORGET_TOKEN).command(cluster.name, node.name)
