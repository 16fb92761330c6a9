"""Engines: what joins the hosts' containers for vLLM. Nothing outside this package tells them apart.

Both classes have the same attributes and methods, which `RayEngine` describes. Planners ask `of(cluster)`.
"""

from functools import cache
from typing import TYPE_CHECKING

from orchestrator.model.cluster import Cluster
from orchestrator.model.cluster import Engine as Name

if TYPE_CHECKING:
    from orchestrator.plan.engine.mp import MpEngine
    from orchestrator.plan.engine.ray import RayEngine


def of(cluster: Cluster) -> "RayEngine | MpEngine":
    """The cluster's engine."""
    return named(cluster.engine)


@cache
def named(name: Name) -> "RayEngine | MpEngine":
    """The engine of that name, and it alone is loaded."""
    if name is Name.MP:
        from orchestrator.plan.engine.mp import MpEngine  # noqa: PLC0415

        return MpEngine()
    from orchestrator.plan.engine.ray import RayEngine  # noqa: PLC0415

    return RayEngine()


def rendezvous(cluster: Cluster, held: frozenset[int]) -> int:
    """A port on the head where the ranks of the network test meet: free, and none that the probe listens at."""
    *_, probed = of(cluster).probe_ports(cluster, cluster.head, held)
    *_, other = of(cluster).probe_ports(cluster, cluster.head, held | {probed})
    return other
