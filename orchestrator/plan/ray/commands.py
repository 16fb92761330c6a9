"""Ray's command lines, and the parser of its node table."""

import json
import shlex
from typing import Any

from orchestrator import payload
from orchestrator.model.accelerators import KINDS
from orchestrator.model.cluster import Accelerator, Cluster, Node, Role
from orchestrator.model.ssh_target import host_port
from orchestrator.plan import devices
from orchestrator.plan.facts.host import RayNode, RayTable, RayTrouble, Resource
from orchestrator.plan.problem import Problem
from orchestrator.plan.ray import ports
from orchestrator.plan.remedies import OLD_RAY, OTHER_PYTHON
from orchestrator.plan.typed import where

TOKEN_IN_CONTAINER = "/run/raycluster/token"  # noqa: S105 - a path


OLDEST_RAY = (2, 31)
"""Before it a node table was another."""


STARTS = "Local node IP"
"""What `ray start` prints before it starts anything."""
STARTED = "Ray runtime started."
"""What `ray start` prints once it has found the versions to be the head's: the same words in Ray 2.31 to 2.60.

Ray before 2.56 has a worker join first, lists it, and then lets it end for having another version.
"""


def too_old(version: str) -> str:
    """What is said of a Ray before `OLDEST_RAY`."""
    return f"Ray {version} is too old: 2.31 is the first that works"


def no_package(python: str) -> str:
    """What is said of a `ray` that runs, where the Python that our programs get has no Ray."""
    return f"`ray` is there, but {python}, which it seems to run on, has no Ray"


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
    words = ("ray", "start", "--block", *place, *ports.flags(cluster, node), *_told(node))
    return f"{payload.RESUME} exec {shlex.join(words)}{ports.of_client(cluster, node)}"


def _told(node: Node) -> tuple[str, ...]:
    """What Ray is told of the node's accelerators, and the arguments of the inventory.

    It has an option for what it calls GPU alone. Of two `--resources` it takes the last, so ours are added there.
    """
    resource = devices.kind(node).resource
    if node.num_gpus is None:
        return node.ray_args
    if resource == "GPU":
        return (f"--num-gpus={node.num_gpus}", *node.ray_args)
    told = json.dumps({**devices.resources(node.ray_args), resource: node.num_gpus})
    return (*node.ray_args, f"--resources={told}")


def few(listed: RayNode, accelerator: Accelerator, expected: int) -> Problem | None:
    """That Ray lists fewer devices of a node than there should be; what it lists instead is told, too."""
    of = KINDS[accelerator]
    if (count := listed.count(of.resource)) >= expected:
        return None
    text = f"Ray sees {count} of its {expected} {of.device}s"
    if others := [f"{n} {name}" for name, n in listed.accelerators if n and name != of.resource]:
        take_out = f"take what tells Ray of {others[0]} out of {where('ray.args')}"
        fix = f"set {where('accelerator')} to what the host has; or {take_out}"
        return Problem(f"{text}, but {', '.join(others)}", fix)
    if of.counted_by:
        fix = f"Ray counts them by {of.counted_by}, where the image has it; else set {where('ray.num_gpus')}"
        return Problem(text, fix)
    return Problem(text)


def parse_table(line: str) -> RayTable | RayTrouble:
    """A line that `payload/ray_nodes.py` has printed."""
    try:
        table = json.loads(line)
        if "too_old" in table:
            return RayTrouble(too_old(table["too_old"]), OLD_RAY, gone=False, final=True)
        if "without_ray" in table:
            return RayTrouble(no_package(table["without_ray"]), OTHER_PYTHON, gone=False, final=True)
        if "error" in table:
            return RayTrouble(table["error"], gone=table["gone"])
        nodes = tuple(map(_node, table["nodes"]))
        served = table.get("dashboard", ""), tuple(table.get("metrics", ()))
        return RayTable(table["ray"], nodes, *served, table.get("python", ""))
    except (ValueError, KeyError, TypeError):
        return RayTrouble(line.strip() or "what asks Ray for its nodes has said nothing", gone=False)


def _node(row: dict[str, Any]) -> RayNode:
    return RayNode(
        **{name: row[name] for name in ("ip", "alive", "started", "hostname", "death", "port", "reached")},
        is_head=row["head"],
        accelerators=tuple(row["accelerators"].items()),
        resources=tuple(Resource(name, *amounts) for name, amounts in row.get("resources", {}).items()),
        metrics=max(row["metrics"], 0),
        exports=row.get("exports", True),
    )
