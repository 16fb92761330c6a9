"""Ray's ports: which each node listens on, how they are pinned, and the firewall's rule for them.

From https://docs.ray.io/en/latest/ray-core/configure.html#ports-configurations, and as Ray 2.60 was seen to
listen. Left to itself Ray takes free ports for most, from the system's ephemeral range.
"""

import re
from itertools import pairwise

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import WORKER_PORTS, Cluster, Node, Ports, Role

EPHEMERAL = range(32768, 61000)
"""Linux's default (ip_local_port_range), which Ray's unpinned ports come from."""


@dataclass(frozen=True, slots=True)
class Port:
    """One of Ray's listeners: what it is, its place after `ray.port`, and how Ray is told."""

    what: str
    offset: int
    flag: str = ""
    variable: str = ""
    on_head_alone: bool = False


PORTS = (
    Port("Ray's GCS", 0, on_head_alone=True),
    Port("Ray's node manager", 1, "--node-manager-port"),
    Port("Ray's object manager", 2, "--object-manager-port"),
    Port("Ray's runtime env agent", 3, "--runtime-env-agent-port"),
    Port("Ray's dashboard agent (gRPC)", 4, "--dashboard-agent-grpc-port"),
    Port("Ray's dashboard agent (HTTP)", 5, "--dashboard-agent-listen-port"),
    Port("Ray's metrics", 6, "--metrics-export-port"),
    Port("Ray's dashboard", 7, "--dashboard-port", on_head_alone=True),
    Port("the autoscaler's metrics", 8, variable="AUTOSCALER_METRIC_PORT", on_head_alone=True),
    Port("the dashboard's metrics", 9, variable="DASHBOARD_METRIC_PORT", on_head_alone=True),
    Port("Ray Client's server", 10, on_head_alone=True),
)
CLIENT = "--ray-client-server-port"
"""Two servers share such a port, without a word of either, and a client reaches any of the two."""

OF_RAY = r'by=$(sed -n "s/^#! *\(.*python.*\)/\1/p; q" "$(command -v ray)")'
"""For the shell: the Python that the first line of `ray` names, and what else stands there."""

BY_DEFAULT = {
    "--dashboard-port": (8265, "Ray's dashboard", "which will not start"),
    CLIENT: (10001, "Ray Client's server", "and a client may reach either"),
}
"""Of an unpinned head: ports that are not free ones, what listens there, and what comes of it where one is held."""

FIRST_WITHIN_EPHEMERAL = (2, 54)
"""Ray before it takes ports above them, too, for its agents and metrics: 2.35 to 2.52 were seen to."""


def flags(cluster: Cluster, node: Node) -> tuple[str, ...]:
    """What `ray start` is told of pinned ports, `--port` aside."""
    pinned = _numbers(cluster, node) if cluster.ray.ports is Ports.PINNED else {}
    return tuple(f"{port.flag}={number}" for port, number in pinned.items() if port.flag)


def variables(cluster: Cluster, node: Node) -> dict[str, str]:
    """The environment that pins what has no flag."""
    pinned = _numbers(cluster, node) if cluster.ray.ports is Ports.PINNED else {}
    return {port.variable: str(number) for port, number in pinned.items() if port.variable}


def of_client(cluster: Cluster, node: Node) -> str:
    """The end of the head's line that pins its client server, where the image has one: else Ray refuses to be told.

    Ray asks the same: `get_ray_client_dependency_error` in its utils.py. Its Python is the one of the first line of
    `ray`; where that tells none, as of a path too long for it, `python3` is asked.
    """
    if node.role is not Role.HEAD or cluster.ray.ports is not Ports.PINNED or _told(node, CLIENT):
        return ""
    pinned = next(number for port, number in _numbers(cluster, node).items() if port is PORTS[-1])
    return f' $({OF_RAY}; ${{by:-python3}} -c "import grpc" 2>/dev/null && echo {CLIENT}={pinned})'


def shared_ports(cluster: Cluster, node: Node) -> dict[int, tuple[str, str]]:
    """Ports at which the head may listen, with what for, and what comes of it where another holds one."""
    if node.role is not Role.HEAD:
        return {}
    told = {flag: _told(node, flag) for flag in BY_DEFAULT}
    unpinned = cluster.ray.ports is not Ports.PINNED
    return {
        told[flag] or default: (what, then)
        for flag, (default, what, then) in BY_DEFAULT.items()
        if unpinned or told[flag]
    }


def _told(node: Node, flag: str) -> int | None:
    """The number that `ray.args` give it; the last one counts."""
    words = node.ray_args
    apart = (value for option, value in pairwise(words) if option == flag)
    joined = (word.partition("=")[2] for word in words if word.startswith(f"{flag}="))
    return next((int(each) for each in reversed((*apart, *joined)) if each.isdecimal()), None)


def held_by(command: str, port: int) -> bool:
    """Whether a container of Ray's with this command listens at the port, as far as the command tells."""
    if "ray start " not in command:
        return False
    told = {flag: int(number) for flag, number in re.findall(r"(--[a-z-]*port)[= ](\d+)", command)}
    if "--head" in command and PORTS[1].flag not in told:
        told = {flag: number for flag, (number, *_) in BY_DEFAULT.items()} | told
    elif "--head" in command:  # pinned; not all have a flag
        told |= {port.what: told.get("--port", 0) + port.offset for port in PORTS}
    return port in told.values()


def required_ports(cluster: Cluster, node: Node) -> dict[int, str]:
    """The numbers that have to be free on the node's host, and what for."""
    if cluster.ray.ports is Ports.PINNED:
        return {number: port.what for port, number in _numbers(cluster, node).items()}
    return {cluster.ray.port: PORTS[0].what} if node.role is Role.HEAD else {}


def open_between_hosts(cluster: Cluster, version: tuple[int, ...] = ()) -> tuple[range, ...]:
    """The ports at which the hosts must reach each other. `version`: of their oldest Ray, as far as is known."""
    port = cluster.ray.port
    if cluster.ray.ports is Ports.PINNED:
        return (range(port, port + len(PORTS)), WORKER_PORTS)
    above = version and version < FIRST_WITHIN_EPHEMERAL
    free = range(EPHEMERAL.start, 65536) if above else EPHEMERAL
    return (range(port, port + 1), WORKER_PORTS, free)


def probe_ports(cluster: Cluster, node: Node, held: frozenset[int]) -> tuple[int, ...]:
    """Where to try whether the node can be reached: a port of each kind that others must get through to.

    Of those that Ray would choose freely, one that is not `held`.
    """
    gcs = (cluster.ray.port,) if node.role is Role.HEAD else ()
    node_manager = cluster.ray.port + 1 if cluster.ray.ports is Ports.PINNED else free_port(EPHEMERAL, held)
    return (*gcs, node_manager, free_port(WORKER_PORTS, held))


def free_port(among: range, held: frozenset[int]) -> int:
    """One of them that is not held."""
    return next(port for port in reversed(among) if port not in held)


def format_ports(ports: tuple[range, ...], between: str) -> str:
    """`6379,10002:19999`, as firewalls write it; `between` stands in a range."""
    return ",".join(f"{p.start}" if len(p) == 1 else f"{p.start}{between}{p.stop - 1}" for p in ports)


def _numbers(cluster: Cluster, node: Node) -> dict[Port, int]:
    """The node's listeners, where they are pinned."""
    ports = (port for port in PORTS if node.role is Role.HEAD or not port.on_head_alone)
    return {port: cluster.ray.port + port.offset for port in ports}
