"""The plan of `image copy`: one host's image to those that lack it, and then what each of them has."""

from collections.abc import Iterator, Mapping

from orchestrator.model.cluster import Node
from orchestrator.plan.actions.images import copy
from orchestrator.plan.actions.pull import refused, see
from orchestrator.plan.facts.host import ImageLookup, Unreachable
from orchestrator.plan.facts.image import ImageInfo
from orchestrator.plan.steps import Change, Plan, Rejected


def source_of(candidates: tuple[Node, ...], holdings: Mapping[str, ImageLookup]) -> Node | None:
    """The first of them that has an image under the name."""
    return next((node for node in candidates if isinstance(holdings[node.name], ImageInfo)), None)


def plan_copy(
    name: str, candidates: tuple[Node, ...], targets: tuple[Node, ...], holdings: Mapping[str, ImageLookup]
) -> Plan:
    """What brings the image of the first candidate that has one to those targets that have another, or none."""
    title, source = f"copy image {name}", source_of(candidates, holdings)
    holding = holdings[source.name] if source else None
    if source is None or not isinstance(holding, ImageInfo):
        return Plan(title, refusals=tuple(_nowhere(name, candidates, holdings)))
    lacking = tuple(node for node in targets if not _has(holdings[node.name], holding))
    asked = dict.fromkeys(
        (source, *(node for node in targets if not isinstance(holdings[node.name], Unreachable)))
    )
    phases = (copy(name, source, lacking, holding.size), *see(tuple(asked), name)) if lacking else ()
    changes = tuple(Change(node.name, f"gets {name} from {source.name}") for node in lacking)
    return Plan(title, phases, changes, tuple(_troubles(targets, holdings)))


def _has(holding: ImageLookup, wanted: ImageInfo) -> bool:
    """One that could not be asked gets nothing."""
    return isinstance(holding, Unreachable) or (isinstance(holding, ImageInfo) and holding.is_same(wanted))


def _troubles(nodes: tuple[Node, ...], holdings: Mapping[str, ImageLookup]) -> Iterator[Rejected]:
    return refused({node.name: holdings[node.name] for node in nodes})


def _nowhere(
    name: str, candidates: tuple[Node, ...], holdings: Mapping[str, ImageLookup]
) -> Iterator[Rejected]:
    fix = f"`docker pull {name}` on a host, or say who has it: --from HOST"
    for node in candidates:
        if holdings[node.name] is None:
            yield Rejected(node.name, f"has no image {name}", fix)
    yield from _troubles(candidates, holdings)
