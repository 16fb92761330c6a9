"""Images that hosts get by themselves or from the head: who builds one, and whether what a host has is still good."""

from orchestrator.model.cluster import Cluster, GetOn, Node
from orchestrator.plan.facts.host import Facts, HostFacts


def builds(cluster: Cluster, node: Node) -> bool:
    """Whether it is this node that adds `ray.install` to the image it runs."""
    return bool(cluster.ray.install) and (cluster.get_on is GetOn.EACH or node is cluster.head)


def from_head(cluster: Cluster, node: Node) -> bool:
    """Whether the node neither pulls nor builds its image, but gets the head's."""
    return cluster.get_on is GetOn.HEAD and node is not cluster.head


def outdated(cluster: Cluster, node: Node, facts: Facts) -> str:
    """Why a new image is needed where there is one; empty where it is good, or there is none.

    Images that hosts have built from the same one are as good as the same; a copy is good while the head has it.
    """
    here, head = facts[node.name], facts[cluster.head.name]
    if not isinstance(here, HostFacts) or not isinstance(head, HostFacts):
        return ""
    if not cluster.ray.install:
        ours, heads = here.image_layers, head.image_layers
        is_other = from_head(cluster, node) and ours and heads and ours != heads
        return f"{cluster.head.name} has another image" if is_other else ""
    if not here.derived:
        return ""
    if node is not cluster.head and head.derived and here.derived.is_same(head.derived):
        return ""
    if not builds(cluster, node):
        return f"{cluster.head.name} has built another image" if head.derived else ""
    if here.base:
        moved, where = here.base.id != here.derived.built_from, "this host"
    else:
        moved, where = _base(head) not in ("", here.derived.built_from), cluster.head.name
    return f"{cluster.image} is another image on {where} now" if moved else ""


def _base(here: HostFacts) -> str:
    """The ID of what an image with `ray.install` is built from there, empty if nobody knows."""
    return here.base.id if here.base else here.derived.built_from if here.derived else ""
