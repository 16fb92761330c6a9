"""The plans of `pull` and `image copy`: the image on every host, and then what each of them has."""

from collections.abc import Iterator, Mapping

from orchestrator.model.cluster import Cluster, Node, Pull
from orchestrator.plan import docker
from orchestrator.plan.actions.images import GET_IMAGE, add_ray, builds, copy, pull
from orchestrator.plan.facts.host import ImageLookup, Unreachable
from orchestrator.plan.facts.image import ImageInfo
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.steps import Change, OnFailure, Phase, Plan, Run, Step, StepKind

Holdings = Mapping[str, ImageLookup]


def plan_pull(cluster: Cluster, nodes: tuple[Node, ...], holdings: Holdings) -> Plan:
    """Pulls on `nodes` but where `docker.pull` is never; all are asked afterwards what they have."""
    going = _reached(nodes, holdings)
    steps = tuple(step for node in going for step in _get(cluster, node))
    get = (Phase(GET_IMAGE, steps, OnFailure.DROP_HOST),) if steps else ()
    changes = tuple(Change(node.name, _what(cluster, node)) for node in going)
    refusals = tuple(_unreached(nodes, holdings))
    return Plan(
        f"pull the image of cluster {cluster.name}", (*get, *_see(going, cluster.image)), changes, refusals
    )


def _what(cluster: Cluster, node: Node) -> str:
    never = node.docker.pull is Pull.NEVER
    return "is only looked at (docker.pull is never)" if never else f"pulls {cluster.image}"


def _get(cluster: Cluster, node: Node) -> Iterator[Step]:
    if node.docker.pull is not Pull.NEVER:
        yield pull(cluster, node)
    if builds(cluster, node):
        yield add_ray(cluster, node)


def plan_copy(name: str, candidates: tuple[Node, ...], targets: tuple[Node, ...], holdings: Holdings) -> Plan:
    """What brings the image of the first candidate that has one to those targets that have another, or none."""
    title = f"copy image {name}"
    for source in candidates:
        if isinstance(wanted := holdings[source.name], ImageInfo):
            break
    else:
        fix = f"`docker pull {name}` on a host, or say who has it: --from HOST"
        lacking = tuple(node for node in candidates if holdings[node.name] is None)
        absent = (HostProblem(node.name, Problem(f"has no image {name}", fix)) for node in lacking)
        return Plan(title, refusals=(*absent, *_unreached(candidates, holdings)))
    going = _reached(targets, holdings)
    lacking = tuple(node for node in going if not _has(holdings[node.name], wanted))
    asked = tuple(dict.fromkeys((source, *going)))
    phases = (copy(name, source, lacking, wanted.size), *_see(asked, name)) if lacking else ()
    changes = tuple(Change(node.name, f"gets {name} from {source.name}") for node in lacking)
    return Plan(title, phases, changes, tuple(_unreached(targets, holdings)))


def _has(holding: ImageLookup, wanted: ImageInfo) -> bool:
    return isinstance(holding, ImageInfo) and holding.is_same(wanted)


def _see(nodes: tuple[Node, ...], name: str) -> tuple[Phase, ...]:
    """A second look, at what each node has under that name now."""
    looks = tuple(
        Run(node.name, "see what it has", docker.inspect_image(node, name), kind=StepKind.INSPECT_IMAGE)
        for node in nodes
    )
    return (Phase("Compare", looks, OnFailure.KEEP_GOING),) if looks else ()


def _reached(nodes: tuple[Node, ...], holdings: Holdings) -> tuple[Node, ...]:
    return tuple(node for node in nodes if not isinstance(holdings[node.name], Unreachable))


def _unreached(nodes: tuple[Node, ...], holdings: Holdings) -> Iterator[HostProblem]:
    for node in nodes:
        if isinstance(here := holdings[node.name], Unreachable):
            yield HostProblem(node.name, here)
