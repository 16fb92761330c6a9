"""What joins the hosts' containers for vLLM. Nothing else in the program knows the engines apart."""

from orchestrator.model.cluster import Cluster
from orchestrator.model.cluster import Engine as Name
from orchestrator.plan.engine.mp import MpEngine
from orchestrator.plan.engine.protocol import Engine, Member, Roster
from orchestrator.plan.engine.ray import RayEngine

__all__ = ["Engine", "Member", "Roster", "named", "of", "rendezvous"]

ENGINES: dict[Name, Engine] = {Name.RAY: RayEngine(), Name.MP: MpEngine()}


def of(cluster: Cluster) -> Engine:
    """The cluster's."""
    return named(cluster.engine)


def rendezvous(cluster: Cluster, held: frozenset[int]) -> int:
    """Where the ranks of a deep check meet on the head: a port like the last of its knocks, and not that one."""
    *_, knock = of(cluster).probe_ports(cluster, cluster.head, held)
    *_, other = of(cluster).probe_ports(cluster, cluster.head, held | {knock})
    return other


def named(name: Name) -> Engine:
    """The one of that name."""
    return ENGINES[name]
