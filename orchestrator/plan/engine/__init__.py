"""What joins the hosts' containers for vLLM. Nothing else in the program knows the engines apart."""

from orchestrator.model.cluster import Cluster
from orchestrator.model.cluster import Engine as Name
from orchestrator.plan.engine.mp import MpEngine
from orchestrator.plan.engine.protocol import Engine, Member, Roster
from orchestrator.plan.engine.ray import RayEngine

__all__ = ["Engine", "Member", "Roster", "named", "of"]

ENGINES: dict[Name, Engine] = {Name.RAY: RayEngine(), Name.MP: MpEngine()}


def of(cluster: Cluster) -> Engine:
    """The cluster's."""
    return named(cluster.engine)


def named(name: Name) -> Engine:
    """The one of that name."""
    return ENGINES[name]
