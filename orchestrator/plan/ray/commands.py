"""Ray's command lines, and the parser of its node table."""

import json
import shlex
from typing import Any

from orchestrator import payload
from orchestrator.model.cluster import Accelerator, Cluster, Node, Role
from orchestrator.model.ssh_target import host_port
from orchestrator.plan.facts.host import HostFacts, RayNode, RayTable, RayTrouble, Resource
from orchestrator.plan.ray import ports
from orchestrator.plan.remedies import OLD_RAY

TOKEN_IN_CONTAINER = "/run/raycluster/token"  # noqa: S105 - a path


OLDEST_RAY = (2, 31)
"""Before it a node table was another."""


def too_old(version: str) -> str:
    """What is said of a Ray before `OLDEST_RAY`."""
    return f"Ray {version} is too old: 2.31 is the first that works"


def local_gcs(head: Node, port: int) -> str:
    """Where the head's container finds its own GCS, which listens on every address."""
    return host_port(head.ip or "127.0.0.1", port)


def start(cluster: Cluster, node: Node, ip: str, head_ip: str) -> str:
    """What bash runs in the node's container."""
    port = cluster.ray.port
    place = (
        ("--head", f"--node-ip-address={ip}", f"--port={port}")
        if node.role is Role.HEAD
        else (f"--address={host_port(head_ip, port)}", f"--node-ip-address={ip}")
    )
    gpus = () if node.num_gpus is None else (f"--num-gpus={node.num_gpus}",)
    words = ("ray", "start", "--block", *place, *ports.flags(cluster, node), *gpus, *node.ray_args)
    resume = f"{payload.RESUME} " if node.role is Role.HEAD else ""
    return f"{resume}exec {shlex.join(words)}"


def expected_gpus(node: Node, facts: HostFacts) -> int:
    """How many GPUs Ray must at least list for this node."""
    if node.num_gpus is not None:
        return node.num_gpus
    if node.accelerator is Accelerator.NONE:
        return 0
    if node.accelerator is not Accelerator.NVIDIA:
        return 1
    return _nvidia_gpus(node.docker.gpus, facts.gpus)


def _nvidia_gpus(wanted: str, found: int | None) -> int:
    match wanted.strip("\"'").partition("="):
        case "all", _, _:
            return found or 1
        case number, "", _ if number.isdigit():
            return int(number)
        case "device", _, devices:
            return len(devices.split(","))
        case _:
            return 1


def parse_table(line: str) -> RayTable | RayTrouble:
    """A line that `payload/ray_nodes.py` has printed."""
    try:
        table = json.loads(line)
        if "too_old" in table:
            return RayTrouble(too_old(table["too_old"]), OLD_RAY, gone=False, final=True)
        if "error" in table:
            return RayTrouble(table["error"], gone=table["gone"])
        nodes = tuple(map(_node, table["nodes"]))
        return RayTable(table["ray"], nodes, table.get("dashboard", ""), tuple(table.get("metrics", ())))
    except (ValueError, KeyError, TypeError):
        return RayTrouble(line.strip() or "what asks Ray for its nodes has said nothing", gone=False)


def _node(row: dict[str, Any]) -> RayNode:
    return RayNode(
        **{
            name: row[name]
            for name in ("ip", "alive", "gpus", "started", "hostname", "death", "port", "reached")
        },
        is_head=row["head"],
        resources=tuple(Resource(name, *amounts) for name, amounts in row.get("resources", {}).items()),
        metrics=max(row["metrics"], 0),
    )
