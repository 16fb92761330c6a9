"""A closer look at hosts of which nothing is known yet, side by side."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import docker, inspection
from orchestrator.plan.inspection import Inspection
from orchestrator.remote.check import INSPECT_SECONDS
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.transport import Failure


def survey(
    cluster: Cluster, nodes: tuple[Node, ...], fleet: Fleet, cancel: Event
) -> dict[str, Inspection | None]:
    """What Docker and the hardware of each host tell; None where they tell nothing."""

    def look(node: Node) -> tuple[str, Inspection | None]:
        command = docker.inspect(cluster, node, ask_registry=False)
        got = fleet[node.name].run(command, timeout=INSPECT_SECONDS, cancel=cancel)
        return node.name, None if isinstance(got, Failure) else inspection.parse(got.stdout)

    with ThreadPoolExecutor(fleet.jobs) as pool:
        return dict(pool.map(look, nodes))
