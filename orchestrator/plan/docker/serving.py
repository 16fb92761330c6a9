"""Lines for the model's server in a container: its supervisor, and what it logs."""

from orchestrator import payload
from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan.command import Command

TAKE = """\
import json, os, sys
folder, told = sys.argv[1], json.load(sys.stdin)
os.makedirs(folder, mode=0o700, exist_ok=True)
for name, text in told["files"].items():
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)
os.execv(sys.executable, [sys.executable, os.path.join(folder, "supervisor.py"), "start", told["spec"]])
"""


def start_server(cluster: Cluster, node: Node, spec: str) -> Command:
    """Brings the supervisor into the node's container and lets it keep what `spec` says."""
    words = ("exec", "--interactive", cluster.container(node), "python3", "-c", TAKE, payload.FOLDER)
    return Command((*node.docker.command, *words), (payload.serving_files(spec),))


def look_at_server(cluster: Cluster, node: Node, lines: int) -> Command:
    """Tells of the server and its last lines, as `served` reads it; nothing where none was ever there."""
    words = ("exec", cluster.container(node), "sh", "-c", payload.INSPECT, payload.SUPERVISOR, str(lines))
    return Command((*node.docker.command, *words))


def ask_server(cluster: Cluster, node: Node) -> Command:
    """Lets the model say a word."""
    return Command(
        (*node.docker.command, "exec", cluster.container(node), "python3", payload.SUPERVISOR, "ask")
    )


def stop_server(cluster: Cluster, node: Node) -> Command:
    """Ends the server; succeeds when nothing of it is left."""
    return Command(
        (*node.docker.command, "exec", cluster.container(node), "python3", payload.SUPERVISOR, "stop")
    )
