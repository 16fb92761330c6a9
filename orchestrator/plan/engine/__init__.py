"""Engines: what joins the hosts' containers for vLLM. Nothing outside this package tells them apart.

Both classes have the same attributes and methods, which `RayEngine` describes. Planners ask `of(cluster)`.
"""

from orchestrator.model.cluster import Cluster
from orchestrator.model.cluster import Engine as Name
from orchestrator.plan.engine.mp import MpEngine
from orchestrator.plan.engine.ray import RayEngine

Engine = RayEngine | MpEngine
ENGINES: dict[Name, Engine] = {Name.RAY: RayEngine(), Name.MP: MpEngine()}


def of(cluster: Cluster) -> Engine:
    """The cluster's engine."""
    return ENGINES[cluster.engine]


def rendezvous(cluster: Cluster, held: frozenset[int]) -> int:
    """A port on the head where the ranks of the network test meet: free, and none that the probe listens at."""
    *_, probed = of(cluster).probe_ports(cluster, cluster.head, held)
    *_, other = of(cluster).probe_ports(cluster, cluster.head, held | {probed})
    return other
