"""Services of Ray beside the cluster itself: its dashboard, and metrics for Prometheus."""

from collections.abc import Iterator

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.secret import Secret
from orchestrator.model.ssh_target import host_port
from orchestrator.plan.facts.containers import container_of
from orchestrator.plan.facts.host import Facts, HostFacts, RayNode, RayTable, Unreachable, answered
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.remedies import format_duration
from orchestrator.plan.status.health import HostHealth, assess
from orchestrator.plan.typed import change, ours

UP = ours("up")
LOOK = ours("status")
START_SECONDS = 60.0
"""How long Ray's agents may take until they listen: seen, some 5 s, and 20 s on hosts that were busy."""
DASHBOARD_LOG = "/tmp/ray/session_latest/logs/dashboard.log"  # noqa: S108 - Ray's, in the container


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Where the head reaches it, and the token that it asks for; `absent`: what to do should nothing be there."""

    host: str
    port: int
    token: Secret | None
    absent: str


@dataclass(frozen=True, slots=True)
class Exporters:
    """Where a node's metrics are fetched: `ip:port` each."""

    node: Node
    targets: tuple[str, ...]


def dashboard(cluster: Cluster, facts: HostFacts | Unreachable) -> Dashboard | Problem:
    """The dashboard on the head, from a look at the head; or why there is none."""
    table = head_table(cluster, facts)
    if isinstance(table, Problem):
        return table
    if not table.dashboard:
        return Problem("Ray runs, but its dashboard has not started", "try again in a moment")
    host, _, port = table.dashboard.rpartition(":")
    ended = f"did it end there? its log, in the head's container: {DASHBOARD_LOG}"
    agents = (node for node in table.nodes if node.is_head and node.alive and node.metrics)
    exports = any(node.exports or ":" in node.ip for node in agents)
    absent = ended if exports else _whole(table)
    return Dashboard(host.strip("[]"), int(port), _token(cluster, facts), absent)


def metrics(cluster: Cluster, facts: Facts) -> tuple[tuple[Exporters, ...], tuple[HostProblem, ...]]:
    """The exporters of every host that Ray lists, and why others have none. Without the head, nobody knows any."""
    table = head_table(cluster, facts[cluster.head.name])
    if isinstance(table, Problem):
        return (), (HostProblem(cluster.head.name, table),)
    health = assess(cluster, facts).hosts
    found = {
        node.name: _exporters(cluster, node, here, table, facts[node.name])
        for node, here in zip(cluster.nodes, health, strict=True)
    }
    without = (HostProblem(name, each) for name, each in found.items() if isinstance(each, Problem))
    return tuple(each for each in found.values() if isinstance(each, Exporters)), tuple(without)


def head_table(cluster: Cluster, facts: HostFacts | Unreachable) -> RayTable | Problem:
    """Ray's node table, from a look at the head; or why there is none."""
    found = answered(facts)
    if isinstance(found, Problem):
        return found
    container = container_of(cluster, cluster.head, found)
    if container is None:
        return Problem(f"no container of cluster {cluster.name} is there", UP)
    if not container.running:
        return Problem(f"its container {container.ended}", UP)
    if isinstance(found.ray, RayTable):
        return found.ray
    return Problem(f"Ray does not answer: {found.ray.text if found.ray else 'nobody asked it'}", LOOK)


def _exporters(
    cluster: Cluster, node: Node, health: HostHealth, table: RayTable, facts: HostFacts | Unreachable
) -> Exporters | Problem:
    container = container_of(cluster, node, facts)
    listed = table.alive(health.ip or "", container.started if container else 0.0)
    if listed is None or health.joined is False:
        return Problem(health.trouble or "is not in Ray: it has no container", health.fix or LOOK)
    if not listed.metrics:
        return Problem("its Ray exports no metrics: it is installed without its agent", _whole(table))
    if not listed.exports:
        ran = facts.now - container.started if container and isinstance(facts, HostFacts) else START_SECONDS
        return _silent(listed, table, ran)
    others = table.metrics if listed.is_head else ()
    return Exporters(node, (host_port(listed.ip, listed.metrics), *others))


def _silent(listed: RayNode, table: RayTable, ran: float) -> Problem:
    """Why nobody listens where metrics would be. `ran`: the seconds since the node's container was started."""
    where = host_port(listed.ip, listed.metrics)
    if ":" in listed.ip:
        text = f"nothing exports its metrics at {where}: Ray's agents listen at IPv4 addresses alone"
        return Problem(text, "have Prometheus ask an IPv4 address of this host, at that port")
    if ran < START_SECONDS:
        text = f"nothing exports its metrics at {where} yet: its container has run for {format_duration(ran)}"
        return Problem(text, f"try again in a moment; if it stays so, {_whole(table)}")
    text = f"nothing exports its metrics at {where}: its image has `ray` without [default], or the agent has ended"
    return Problem(text, _whole(table))


def _token(cluster: Cluster, facts: HostFacts | Unreachable) -> Secret | None:
    """What the container was started with counts, not what the inventory says by now."""
    container = container_of(cluster, cluster.head, facts)
    asks = container is not None and "RAY_AUTH_MODE=token" in container.env
    return facts.token if asks and isinstance(facts, HostFacts) else None


def _whole(table: RayTable) -> str:
    """How an image comes by all of Ray."""
    whole = change("ray.install", f"'ray[default]=={table.version}'")
    return f"{whole}; then {ours('up')}"


def service_discovery(cluster: Cluster, exporters: tuple[Exporters, ...]) -> Iterator[dict[str, object]]:
    """What Prometheus reads: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config.

    `ray_io_cluster` is the label by which the Grafana dashboards that come with Ray tell clusters apart.
    """
    for each in exporters:
        labels = {"cluster": cluster.name, "node": each.node.name, "role": each.node.role.value}
        yield {"targets": list(each.targets), "labels": labels | {"ray_io_cluster": cluster.name}}
