"""How hosts come by a model that one of them has: what each lacks of it, from host to host."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import docker
from orchestrator.plan.actions.models import NO_LIMIT, look
from orchestrator.plan.checks.firewall import accept_rule
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.models import CopyList, Holding
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.progress import size
from orchestrator.plan.ray.ports import format_ports
from orchestrator.plan.steps import Change, Feed, OnFailure, Phase, Plan, Run, StepKind
from orchestrator.plan.transfer.chain import PORTS
from orchestrator.plan.typed import there

MARGIN = 64 << 20
"""Bytes that are left free on a disk."""

Holdings = Mapping[str, Holding | Unreachable]


def plan_copy(
    cluster: Cluster,
    source: Node,
    targets: tuple[Node, ...],
    wanted: CopyList | Unreachable,
    holdings: Holdings,
    *,
    via_laptop: bool = False,
) -> Plan:
    """What brings the files of `wanted`, as `source` has them, to those targets that lack some."""
    if isinstance(wanted, Unreachable):
        return Plan("copy a model", refusals=(HostProblem(source.name, wanted),))
    title = f"copy {wanted.model}"
    refusals = tuple(_refusals(targets, wanted, holdings))
    out = {each.host for each in refusals}
    asked = tuple(node for node in targets if node.name not in out and node.name != source.name)
    going = tuple(_going(asked, wanted, holdings))
    if not going:
        return Plan(title, refusals=refusals)
    begin = begins(wanted, [_held(holdings, node) for node in going])
    phases = (
        *_copies(cluster, source, going, wanted, begin, via_laptop=via_laptop),
        *_see(cluster, asked, wanted),
    )
    changes = tuple(Change(node.name, _what(wanted, source, _held(holdings, node))) for node in going)
    return Plan(title, phases, changes, refusals)


def begins(wanted: CopyList, held: list[Holding]) -> dict[int, int]:
    """From which byte on a file has to be sent, by its number; of several with the same bytes, one is."""
    found, seen = dict[int, int](), set[str]()
    for number, file in enumerate(wanted.files):
        start = min(each.has[number] for each in held)
        if start < file.size:
            known = file.digest if file.digest and not wanted.is_folder else ""
            if known and known in seen:
                continue
            seen.add(known)
            found[number] = start
    return found


def _going(nodes: tuple[Node, ...], wanted: CopyList, holdings: Holdings) -> Iterator[Node]:
    """Those that lack something; of several that share a file system, the first."""
    seen = {wanted.identity}
    for node in nodes:
        held = _held(holdings, node)
        if held.ready or (held.identity and held.identity in seen):
            continue
        seen.add(held.identity)
        yield node


def _refusals(targets: tuple[Node, ...], wanted: CopyList, holdings: Holdings) -> Iterator[HostProblem]:
    for node in targets:
        held = holdings.get(node.name)
        if isinstance(held, Unreachable):
            yield HostProblem(node.name, held)
        elif held and (need := lacks(wanted, held)) and need + MARGIN > held.free >= 0:
            text = f"{size(need)} are to come, and it has {size(held.free)} free"
            yield HostProblem(node.name, Problem(text, "free disk space there, or leave it out with -l"))


def lacks(wanted: CopyList, held: Holding) -> int:
    """How many bytes a host has yet to get."""
    by_bytes = {
        (file.digest or file.path): file.size - has for file, has in zip(wanted.files, held.has, strict=True)
    }
    return sum(by_bytes.values())


def _held(holdings: Holdings, node: Node) -> Holding:
    held = holdings[node.name]
    assert isinstance(held, Holding)  # noqa: S101 - those that could not be asked were refused
    return held


def _what(wanted: CopyList, source: Node, held: Holding) -> str:
    return f"copy {size(lacks(wanted, held))} of {wanted.model} from {source.name}"


def _copies(
    cluster: Cluster,
    source: Node,
    targets: tuple[Node, ...],
    wanted: CopyList,
    begin: dict[int, int],
    *,
    via_laptop: bool,
) -> Iterator[Phase]:
    """From host to host. From the laptop the first host alone gets it, and is the next one's source."""
    if source.name == docker.LAPTOP and not via_laptop:
        first = copy(cluster, source, targets[:1], wanted, begin, chained=False)
        yield replace(first, on_failure=OnFailure.STOP)
        if targets[1:]:
            yield copy(cluster, targets[0], targets[1:], wanted, begin, chained=True)
    else:
        yield copy(cluster, source, targets, wanted, begin, chained=not via_laptop)


def copy(
    cluster: Cluster,
    source: Node,
    targets: tuple[Node, ...],
    wanted: CopyList,
    begin: dict[int, int],
    *,
    chained: bool,
) -> Phase:
    """Gives files to the others, all at once: they pass them on among themselves, or get them through here."""
    known = all(node.ip or node.network for node in (source, *targets))
    feed = Feed(
        source.name,
        f"send {wanted.model}",
        docker.send_model(cluster, source, wanted, begin),
        sum(wanted.files[number].size - at for number, at in begin.items()),
        NO_LIMIT,
        chain=docker.model_hops(cluster, source, targets, wanted, begin) if chained and known else (),
        if_apart=_rule((source, *targets)),
        ending="hashes are compared",
    )
    title = f"copy {wanted.model} from {source.name}"
    steps = tuple(
        Run(node.name, title, docker.receive_model(cluster, node, wanted), NO_LIMIT, kind=StepKind.GET_MODEL)
        for node in targets
    )
    return Phase("Copy the model", steps, OnFailure.DROP_HOST, feed=feed)


def _rule(nodes: tuple[Node, ...]) -> str:
    """The firewall's, for hosts that pass a model on."""
    ips = [node.ip or node.network or "" for node in nodes]
    return there(accept_rule(nodes, ips, f" -m multiport --dports {format_ports((PORTS,), ':')}"))


def _see(cluster: Cluster, nodes: tuple[Node, ...], wanted: CopyList) -> Iterator[Phase]:
    """A second look, at what each has now."""
    yield Phase("Compare", tuple(look(cluster, node, wanted.model) for node in nodes), OnFailure.KEEP_GOING)
