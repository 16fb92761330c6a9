"""The plan of `pull`: the image on every host, and then what each of them has."""

from collections.abc import Iterator, Mapping

from orchestrator.model.cluster import Cluster, Node, Pull
from orchestrator.plan import docker
from orchestrator.plan.actions.images import GET_IMAGE, add_ray, builds, pull
from orchestrator.plan.facts.host import ImageLookup, Unreachable
from orchestrator.plan.steps import Change, OnFailure, Phase, Plan, Rejected, Run, Step, StepKind


def plan_pull(cluster: Cluster, nodes: tuple[Node, ...], holdings: Mapping[str, ImageLookup]) -> Plan:
    """Pulls on `nodes` but where `docker.pull` is never; all are asked afterwards what they have."""
    going = tuple(node for node in nodes if not isinstance(holdings[node.name], Unreachable))
    steps = tuple(step for node in going for step in _get(cluster, node))
    get = (Phase(GET_IMAGE, steps, OnFailure.DROP_HOST),) if steps else ()
    changes = tuple(_change(cluster, node) for node in going)
    title = f"pull the image of cluster {cluster.name}"
    return Plan(title, (*get, *see(going, cluster.image)), changes, tuple(refused(holdings)))


def _get(cluster: Cluster, node: Node) -> Iterator[Step]:
    if node.docker.pull is not Pull.NEVER:
        yield pull(cluster, node)
    if builds(cluster, node):
        yield add_ray(cluster, node)


def _change(cluster: Cluster, node: Node) -> Change:
    if node.docker.pull is Pull.NEVER:
        return Change(node.name, "is only looked at (docker.pull is never)")
    return Change(node.name, f"pulls {cluster.image}")


def see(nodes: tuple[Node, ...], name: str) -> tuple[Phase, ...]:
    """A second look, at what each node has under that name now."""
    looks = tuple(
        Run(node.name, "see what it has", docker.inspect_image(node, name), kind=StepKind.INSPECT_IMAGE)
        for node in nodes
    )
    return (Phase("Compare", looks, OnFailure.KEEP_GOING),) if looks else ()


def refused(holdings: Mapping[str, ImageLookup]) -> Iterator[Rejected]:
    """The hosts that could not be asked."""
    for host, holding in holdings.items():
        if isinstance(holding, Unreachable):
            yield Rejected(host, holding.why, holding.fix, holding.detail)
