"""How hosts come by the image: they pull it, build it, or get it from another; for `up`, `pull` and `image copy`."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from orchestrator.model.cluster import Cluster, GetOn, Node, Pull
from orchestrator.plan import docker
from orchestrator.plan.checks.firewall import accept_rule
from orchestrator.plan.docker import NOTHING_LEFT_OUT, LeftOut
from orchestrator.plan.facts.derived_image import builds, outdated
from orchestrator.plan.facts.host import Facts, HostFacts, ImageLookup, Unreachable
from orchestrator.plan.facts.image import ImageInfo
from orchestrator.plan.facts.layers import Stack, shared, takes_without
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.ray.ports import format_ports
from orchestrator.plan.remedies import not_whole
from orchestrator.plan.steps import Change, Feed, OnFailure, Phase, Plan, Run, Step, StepKind
from orchestrator.plan.transfer.chain import PORTS
from orchestrator.plan.transfer.hop import Hop
from orchestrator.plan.typed import there

GET_IMAGE = "Get the image"
PULL_SECONDS = 3600.0
COPY_SECONDS = 7 * 86400.0
"""A copy ends when it stands still, and not by this clock, which is for what nobody waits for any more."""

Holdings = Mapping[str, ImageLookup]


def get_image(cluster: Cluster, facts: Facts, nodes: tuple[Node, ...]) -> Iterator[Phase]:
    """What brings the image to those of `nodes`, all of which have answered, that lack it."""
    if cluster.get_on is GetOn.HEAD:
        yield from _from_head(cluster, facts, nodes)
    elif steps := tuple(step for node in nodes for step in _get(cluster, facts, node)):
        yield Phase(GET_IMAGE, steps, OnFailure.DROP_HOST)


def _lacks(cluster: Cluster, node: Node, facts: Facts) -> bool:
    return not _seen(facts, node).image_id or bool(outdated(cluster, node, facts))


def _get(cluster: Cluster, facts: Facts, node: Node) -> Iterator[Run]:
    if node.docker.pull is not Pull.ALWAYS and not _lacks(cluster, node, facts):
        return
    if cluster.ray.install:
        yield from _build(cluster, node, _seen(facts, node))
    else:
        yield pull(cluster, node)


def _build(cluster: Cluster, node: Node, here: HostFacts) -> Iterator[Run]:
    if node.docker.pull is Pull.ALWAYS or (not here.base and node.docker.pull is not Pull.NEVER):
        yield pull(cluster, node)
    yield add_ray(cluster, node)


def _from_head(cluster: Cluster, facts: Facts, nodes: tuple[Node, ...]) -> Iterator[Phase]:
    head, derived = cluster.head, _seen(facts, cluster.head).derived
    always = head in nodes and head.docker.pull is Pull.ALWAYS
    renewed = always or _lacks(cluster, head, facts)
    if renewed:
        yield Phase(GET_IMAGE, tuple(_get(cluster, facts, head)), OnFailure.STOP)
    workers = (node for node in nodes if node is not head)
    lacking = tuple(node for node in workers if renewed or _lacks(cluster, node, facts))
    if lacking:
        size = derived.size if derived and not renewed else 0
        yield copy(docker.image(cluster), head, lacking, size, _below(_seen(facts, head), facts, lacking))


def _below(head: HostFacts, facts: Facts, nodes: tuple[Node, ...]) -> LeftOut:
    """The layers of the image below, in what the head builds on it: as all have these."""
    if not head.base:
        return NOTHING_LEFT_OUT
    bases = (_seen(facts, node).base for node in nodes)
    stacks = [base.layers if base and takes_without(base.id, base.driver) else () for base in bases]
    count = min(shared(head.base.layers, (stack,)) for stack in stacks)
    return LeftOut((*head.base.layers, "what is built"), count)


def _seen(facts: Facts, node: Node) -> HostFacts:
    here = facts[node.name]
    assert isinstance(here, HostFacts)  # noqa: S101 - without its head, a cluster gets no image anywhere
    return here


def add_ray(cluster: Cluster, node: Node) -> Run:
    """Makes the image that has `ray.install` from the one below it, which has to be there."""
    title = f"add {cluster.ray.install} to the image"
    return Run(node.name, title, docker.build(cluster, node), timeout=PULL_SECONDS, kind=StepKind.GET_IMAGE)


def pull(cluster: Cluster, node: Node) -> Run:
    """Fetches the inventory's image, newer or not."""
    return Run(
        node.name,
        f"pull {cluster.image}",
        docker.pull(cluster, node),
        timeout=PULL_SECONDS,
        how_far=docker.pull_progress,
        kind=StepKind.GET_IMAGE,
    )


def copy(
    name: str,
    source: Node,
    targets: tuple[Node, ...],
    size: int,
    skip: LeftOut = NOTHING_LEFT_OUT,
    *,
    via_laptop: bool = False,
    packed: bool = False,
) -> Phase:
    """Gives the image of `source` to the others, all at once: from host to host, or each by itself from here.

    `size`: its bytes, 0 if untold; `skip`: its layers that hosts which pass it on leave out; `packed`: on its
    way from this machine.
    """
    feed = Feed(
        source.name,
        f"save {name}",
        docker.save(source, name),
        size,
        COPY_SECONDS,
        not_whole(name),
        () if via_laptop else _chain(name, source, targets, skip),
        docker.PACKER if packed else (),
        _rule((source, *targets)),
        partial=bool(skip),
    )
    title = f"load {name} from {source.name}"
    loads = tuple(
        Run(
            node.name,
            title,
            docker.load(node, name, packed=packed),
            timeout=COPY_SECONDS,
            kind=StepKind.GET_IMAGE,
        )
        for node in targets
    )
    return Phase("Copy the image", loads, OnFailure.DROP_HOST, feed=feed)


def _chain(name: str, source: Node, targets: tuple[Node, ...], skip: LeftOut) -> tuple[Hop, ...]:
    """Where all are hosts of the inventory: nobody else has an address at which the others reach it."""
    if any(not (node.ip or node.network) for node in (source, *targets)):
        return ()
    return (docker.save_relayed(source, name, skip), *(docker.load_relayed(node, name) for node in targets))


def _rule(nodes: tuple[Node, ...]) -> str:
    """The firewall's, for hosts that pass an image on."""
    ips = [node.ip or node.network or "" for node in nodes]
    return there(accept_rule(nodes, ips, f" -m multiport --dports {format_ports((PORTS,), ':')}"))


def skippable(wanted: ImageInfo, stacks: Iterable[tuple[Stack, ...]]) -> LeftOut:
    """The layers that an archive of the image needs not have, as all of these hosts have them."""
    return LeftOut(wanted.layers, min((shared(wanted.layers, each) for each in stacks), default=0))


def lacking(candidates: tuple[Node, ...], targets: tuple[Node, ...], holdings: Holdings) -> tuple[Node, ...]:
    """Those that are to get the image of the first candidate that has one."""
    source = _source(candidates, holdings)
    if source is None:
        return ()
    going = _reached(targets, holdings)
    return tuple(node for node in going if not _has(holdings[node.name], source[1]))


def _source(candidates: tuple[Node, ...], holdings: Holdings) -> tuple[Node, ImageInfo] | None:
    for node in candidates:
        if isinstance(wanted := holdings[node.name], ImageInfo) and wanted.is_whole:
            return node, wanted
    return None


def plan_pull(cluster: Cluster, nodes: tuple[Node, ...], holdings: Holdings) -> Plan:
    """Pulls on `nodes` but where `docker.pull` is never; all are asked afterwards what they have."""
    going = _reached(nodes, holdings)
    steps = tuple(step for node in going for step in _pull_and_build(cluster, node))
    get = (Phase(GET_IMAGE, steps, OnFailure.DROP_HOST),) if steps else ()
    changes = tuple(Change(node.name, _what(cluster, node)) for node in going)
    refusals = tuple(_unreached(nodes, holdings))
    return Plan(
        f"pull the image of cluster {cluster.name}", (*get, *_see(going, cluster.image)), changes, refusals
    )


def _what(cluster: Cluster, node: Node) -> str:
    never = node.docker.pull is Pull.NEVER
    return "only inspected, as docker.pull is never" if never else f"pull {cluster.image}"


def _pull_and_build(cluster: Cluster, node: Node) -> Iterator[Step]:
    if node.docker.pull is not Pull.NEVER:
        yield pull(cluster, node)
    if builds(cluster, node):
        yield add_ray(cluster, node)


def plan_copy(
    name: str,
    candidates: tuple[Node, ...],
    targets: tuple[Node, ...],
    holdings: Holdings,
    stacks: Mapping[str, tuple[Stack, ...]] = MappingProxyType({}),
    zstd: Collection[str] = (),
    *,
    via_laptop: bool = False,
) -> Plan:
    """What brings the image of the first candidate that has one to those targets that have another, or none.

    `stacks`: the layers that each of these has anyway, where it takes an image without them; `zstd`: who has that.
    """
    title = f"copy image {name}"
    found = _source(candidates, holdings)
    if found is None:
        absent = (
            HostProblem(node.name, _none(name, holdings[node.name]))
            for node in _reached(candidates, holdings)
        )
        return Plan(title, refusals=(*absent, *_unreached(candidates, holdings)))
    source, wanted = found
    going = lacking(candidates, targets, holdings)
    phases: tuple[Phase, ...] = ()
    if going:
        asked = tuple(dict.fromkeys((source, *_reached(targets, holdings))))
        copies = _copies(name, source, wanted, going, stacks, zstd, via_laptop=via_laptop)
        phases = (*copies, *_see(asked, name))
    changes = tuple(Change(node.name, f"copy {name} from {source.name}") for node in going)
    return Plan(title, phases, changes, tuple(_unreached(targets, holdings)))


def _copies(
    name: str,
    source: Node,
    wanted: ImageInfo,
    targets: tuple[Node, ...],
    stacks: Mapping[str, tuple[Stack, ...]],
    zstd: Collection[str],
    *,
    via_laptop: bool,
) -> Iterator[Phase]:
    """From host to host. From the laptop the first host alone gets it, and is the next ones' source."""
    if not via_laptop and not (source.ip or source.network):
        first, *others = targets
        packed = {source.name, first.name} <= set(zstd)
        yield replace(copy(name, source, (first,), wanted.size, packed=packed), on_failure=OnFailure.STOP)
        source, targets = first, tuple(others)
    if targets:
        skip = skippable(wanted, [stacks.get(node.name, ()) for node in targets])
        yield copy(name, source, targets, wanted.size, skip, via_laptop=via_laptop)


def _none(name: str, holding: ImageLookup) -> Problem:
    """Why there is nothing to copy from a host."""
    if holding is None:
        return Problem(
            f"has no image {name}", f"{there(f'docker pull {name}')}; or say who has it: --from HOST"
        )
    return Problem(f"knows {name} by name, but has none of its layers", not_whole(name))


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
