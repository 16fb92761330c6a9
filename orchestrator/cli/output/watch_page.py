"""The page of a watch: as much as the terminal has room for, what is in trouble first."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from rich.console import ConsoleDimensions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.cli.output.status_table import ASKED, STYLE, fitting, headline, model_state, what_to_do
from orchestrator.frozen import dataclass
from orchestrator.model.accelerators import RESOURCES
from orchestrator.plan.facts.host import RayTable, Resource, Unreachable
from orchestrator.plan.problem import plural
from orchestrator.plan.remedies import format_duration
from orchestrator.plan.status.health import HostHealth, Verdict
from orchestrator.plan.status.snapshot import ClusterSnapshot, Gpu, HealthEvent, HostPending

GIB = 2**30
FEWEST = 3
"""Lines that a part has at least."""
CELL, FULL_CELL = 16, 26
"""Columns for a GPU, and for one with temperature and power."""
SUMMED = {name: name for name in ("CPU", *RESOURCES)} | {
    "memory": "MEMORY",
    "object_store_memory": "OBJECT STORE",
}


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event, and when it was seen."""

    at: datetime
    event: HealthEvent

    def line(self, cluster: str) -> Text:
        """As a line for people."""
        host, text, verdict = self.event.host, self.event.text, self.event.verdict
        who = (f"cluster {cluster} ", "") if not host else (f"{host}: ", "")
        return Text.assemble((f"{self.at:%H:%M:%S}  ", "dim"), who, (text, STYLE[verdict]))


def page(
    sight: ClusterSnapshot, log: Sequence[TimedEvent], since: datetime, size: ConsoleDimensions
) -> Group:
    """The page for a screen of that size."""
    room = size.height - 2 - FEWEST  # the verdict, and the events with their title
    words = _words(sight, room // 4)
    hosts = _hosts(sight, room - len(words) - 2, size.width)  # two for Ray's resources in all
    room -= len(words) + _height(hosts)
    numbers = _gpus(sight, room - 2, size.width)
    resources = _resources(sight, room - _height(numbers))
    room -= _height(numbers) + _height(resources)
    return Group(
        _top(sight, size.width),
        *(*hosts, *words, *numbers, *resources),
        *_events(sight, log, since, room + FEWEST),
    )


def _height(parts: Iterable[RenderableType]) -> int:
    return sum(part.row_count + 1 if isinstance(part, Table) else 1 for part in parts)


def _line(text: str, style: str = "") -> Text:
    return _cut(Text(text, style))


def _cut(text: Text) -> Text:
    """At the screen's edge."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _top(sight: ClusterSnapshot, width: int) -> Text:
    clock = f"{datetime.now().astimezone():%H:%M:%S}"
    pending, every = sight.pending, sight.facts
    asked = [name for name in pending if isinstance(sight.facts[name], HostPending)]
    whom = (
        f"Ray on {pending[0]}" if pending and not asked else f"{len(asked)} of {plural(len(every), 'host')}"
    )
    waits = f"cluster {sight.cluster.name}: asking {whom}"
    text = _line(waits, "bold") if pending else _cut(headline(sight.health))
    text.truncate(width - len(clock) - 2, overflow="ellipsis", pad=True)
    return text.append(f"  {clock}", "dim")


def _hosts(sight: ClusterSnapshot, room: int, width: int) -> list[RenderableType]:
    """The hosts that there is room for, and how many more there are."""
    hosts, undecided, of = sight.health.hosts, sight.undecided, sight.health.engine
    room = max(FEWEST, room) - 1
    if len(hosts) <= room:
        return [*map(_cut, fitting(hosts, width, of, undecided))]
    first = sorted(hosts, key=lambda host: host.verdict is Verdict.HEALTHY or host.name in undecided)
    shown, left = first[: room - 1], first[room - 1 :]
    return [*map(_cut, fitting(shown, width, of, undecided)), _line(f"and {_more(left, undecided)}", "dim")]


def _more(left: Sequence[HostHealth], undecided: frozenset[str]) -> str:
    words = Counter(ASKED if host.name in undecided else host.verdict for host in left)
    return ", ".join(f"{words[word]} more {word}" for word in (*Verdict, ASKED) if words[word])


def _words(sight: ClusterSnapshot, room: int) -> list[Text]:
    """What is served, what is wrong, host by host, and what to do."""
    if sight.pending:
        return []
    served = sight.health.models
    models = [_cut(model_state(each)) for each in served]
    room -= len(models)
    troubles = [_line(f"{host.name}: {_trouble(sight, host)}") for host in sight.health.hosts if host.trouble]
    run = (sight.health.run.run,) if sight.health.run else ()
    fixes = (*sight.health.notes, *run, *(f"→ {fix}" for fix in what_to_do(sight.health)))
    shown = max(1, room - len(fixes[:room]))
    more = [_line(f"and {len(troubles) - shown} more in trouble", "dim")] if len(troubles) > shown else []
    return [*models, *troubles[:shown], *more, *(_line(fix, "yellow") for fix in fixes[:room])]


def _trouble(sight: ClusterSnapshot, host: HostHealth) -> str:
    since = sight.lost.get(host.name)
    when = f"unknown since {datetime.fromtimestamp(since).astimezone():%H:%M:%S}: " if since else ""
    facts = sight.facts[host.name]
    given_up = ", and is not asked again" if isinstance(facts, Unreachable) and facts.lasting else ""
    return f"{when}{host.trouble}{given_up}"


def _gpus(sight: ClusterSnapshot, room: int, width: int) -> list[RenderableType]:
    """A cell for each GPU, a line or more for each host."""
    width -= max(map(len, sight.gpus), default=0)
    a_line = next((each for each in (8, 4, 2) if each * CELL <= width), 1)
    cell = _gpu_in_full if a_line * FULL_CELL <= width else _gpu
    rows = [row for host, gpus in sight.gpus.items() for row in _gpu_rows(host, gpus, a_line, cell)]
    if not rows or room < FEWEST:
        return []
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("GPUS", *["#  USE GIB"] * a_line):
        grid.add_column(title, no_wrap=True)
    for row in rows[: room - 1]:
        grid.add_row(*row)
    return [grid]


def _gpu_rows(
    host: str, gpus: tuple[Gpu, ...] | str, a_line: int, cell: Callable[[Gpu], Text]
) -> list[list[Text]]:
    if isinstance(gpus, str):
        return [[_line(host), _line(gpus, "red")]]
    pieces = [gpus[start : start + a_line] for start in range(0, len(gpus), a_line)]
    return [[_line("" if number else host), *map(cell, piece)] for number, piece in enumerate(pieces)]


def _gpu(gpu: Gpu) -> Text:
    use, used, total = _number(gpu.use), _number(gpu.memory_used, 1024), _number(gpu.memory_total, 1024)
    return Text.assemble(
        (f"{gpu.index} ", "dim"), (f"{use:>3}%", "green" if gpu.use else ""), f" {used}/{total}"
    )


def _gpu_in_full(gpu: Gpu) -> Text:
    return _gpu(gpu).append(f" {_number(gpu.temperature):>2}° {_number(gpu.power):>3}W", "dim")


def _number(value: float | None, unit: float = 1) -> str:
    return "-" if value is None else f"{value / unit:.0f}"


def _resources(sight: ClusterSnapshot, room: int) -> list[RenderableType]:
    """What of Ray's resources is in use: in all, and on as many nodes as there is room for."""
    alive = [(host.name, node) for host in sight.health.hosts for node in sight.alive(host.name)]
    reported = [
        (name, {each.name: each for each in node.resources}) for name, node in alive if node.resources
    ]
    if not isinstance(sight.table, RayTable) or room < 2:  # noqa: PLR2004
        return []
    if not reported:
        return [_line("Ray does not tell what of its resources is in use", "dim")] if alive else []
    names = [name for name in SUMMED if any(name in resources for _, resources in reported)]
    sums = {name: _sum(resources[name] for _, resources in reported if name in resources) for name in names}
    rows = [("all", sums), *reported] if len(reported) > 1 else reported
    return [_resource_table(names, rows[: room - 1])]


def _sum(resources: Iterable[Resource]) -> Resource:
    each = tuple(resources)
    return Resource(each[0].name, sum(one.free for one in each), sum(one.total for one in each))


def _resource_table(names: Sequence[str], rows: Sequence[tuple[str, dict[str, Resource]]]) -> Table:
    made = Table(box=None, pad_edge=False, header_style="dim")
    made.add_column("RAY USES", no_wrap=True)
    for name in names:
        made.add_column(SUMMED[name], no_wrap=True, justify="right")
    for host, resources in rows:
        made.add_row(host, *(_used(resources[name]) if name in resources else "-" for name in names))
    return made


def _used(resource: Resource) -> str:
    if resource.name.endswith("memory"):
        digits = 0 if resource.total >= 100 * GIB else 1
        return f"{(resource.total - resource.free) / GIB:.{digits}f}/{resource.total / GIB:.{digits}f} GiB"
    return f"{resource.total - resource.free:g}/{resource.total:g}"


def _events(sight: ClusterSnapshot, log: Sequence[TimedEvent], since: datetime, room: int) -> list[Text]:
    """What has happened, the newest at the bottom."""
    long = format_duration((datetime.now().astimezone() - since).total_seconds())
    title = _line(f"SINCE {since:%H:%M:%S}, {long}; q ends it", "dim")
    lines = [_cut(each.line(sight.cluster.name)) for each in log[-max(FEWEST, room) :]]
    return [title, *(lines or [_line("no events yet", "dim")])]
