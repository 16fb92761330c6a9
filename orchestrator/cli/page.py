"""The page of a watch: as much as the terminal has room for, what is in trouble first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import ConsoleDimensions, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from orchestrator.cli.health import COLUMNS, STYLE, headline, table, what_to_do
from orchestrator.cli.screen import answer, plural
from orchestrator.plan.facts import RayTable, Resource
from orchestrator.plan.happened import Event
from orchestrator.plan.health import HostHealth, Verdict, age
from orchestrator.plan.live import Gpu, Sight

GIB = 2**30
FEWEST = 3
"""Lines that events, and hosts, have at least."""
DISPENSABLE = ("image", "ip", "role")
"""Columns that a narrow screen goes without, the first one first."""
SUMMED = {"CPU": "CPU", "GPU": "GPU", "NPU": "NPU", "memory": "MEMORY", "object_store_memory": "OBJECT STORE"}


@dataclass(frozen=True, slots=True)
class Told:
    """An event, and when it was seen."""

    at: datetime
    event: Event

    def line(self, cluster: str) -> Text:
        """As a line for people."""
        host, text, verdict = self.event.host, self.event.text, self.event.verdict
        who = (f"cluster {cluster} ", "") if not host else (f"{host}: ", "")
        return Text.assemble((f"{self.at:%H:%M:%S}  ", "dim"), who, (text, STYLE[verdict]))


def page(sight: Sight, told: Sequence[Told], since: datetime, size: ConsoleDimensions) -> Group:
    """The page for a screen of that size."""
    room = size.height - 1 - 1 - FEWEST  # the verdict, and the events with their title
    words = _words(sight)[: max(2, room // 4)]
    hosts = _hosts(sight.health.hosts, room - len(words), size.width)
    room -= len(words) + _height(hosts)
    numbers = _gpus(sight, room - 2, size.width)
    resources = _resources(sight, room - _height(numbers))
    room -= _height(numbers) + _height(resources)
    return Group(
        _top(sight, size.width),
        *(*hosts, *words, *numbers, *resources),
        *_events(sight, told, since, room + FEWEST),
    )


def _height(parts: Iterable[RenderableType]) -> int:
    return sum(part.row_count + 1 if isinstance(part, Table) else 1 for part in parts)


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _top(sight: Sight, width: int) -> Text:
    clock = f"{datetime.now().astimezone():%H:%M:%S}"
    pending = sight.pending
    waits = f"cluster {sight.cluster.name}: {plural(len(pending), 'host')} of {len(sight.health.hosts)} still asked"
    text = _line(waits, "bold") if pending else headline(sight.health)
    text.no_wrap, text.overflow = True, "ellipsis"
    text.truncate(width - len(clock) - 2, overflow="ellipsis", pad=True)
    return text.append(f"  {clock}", "dim")


def _hosts(hosts: Sequence[HostHealth], room: int, width: int) -> list[RenderableType]:
    """The hosts that there is room for, and how many more there are."""
    room = max(FEWEST, room) - 1
    if len(hosts) <= room:
        return [_fitting(hosts, width)]
    first = sorted(hosts, key=lambda host: host.verdict is Verdict.HEALTHY)
    shown, left = first[: room - 1], first[room - 1 :]
    return [_fitting(shown, width), _line(f"and {_more(left)}", "dim")]


def _more(left: Sequence[HostHealth]) -> str:
    counts = {each: sum(host.verdict is each for host in left) for each in Verdict}
    return ", ".join(f"{count} more {verdict}" for verdict, count in counts.items() if count)


def _fitting(hosts: Sequence[HostHealth], width: int) -> Table:
    """The table with the columns that the screen is wide enough for."""
    made = table(hosts)
    for number in range(1, len(DISPENSABLE) + 1):
        if Measurement.get(answer(), answer().options, made).maximum <= width:
            break
        made = table(hosts, [name for name in COLUMNS if name not in DISPENSABLE[:number]])
    return made


def _words(sight: Sight) -> list[Text]:
    """What is wrong, host by host, and what to do."""
    if sight.pending:
        return []
    troubles = [_line(f"{host.name}: {_trouble(sight, host)}") for host in sight.health.hosts if host.trouble]
    notes = [_line(note, "yellow") for note in sight.health.notes]
    return [*troubles, *notes, *(_line(f"→ {fix}", "yellow") for fix in what_to_do(sight.health))]


def _trouble(sight: Sight, host: HostHealth) -> str:
    since = sight.lost.get(host.name)
    when = f"unknown since {datetime.fromtimestamp(since).astimezone():%H:%M:%S}: " if since else ""
    return f"{when}{host.trouble}"


def _gpus(sight: Sight, room: int, width: int) -> list[RenderableType]:
    """A cell for each GPU, a line or more for each host."""
    rows = [row for host, gpus in sight.gpus.items() for row in _gpu_rows(host, gpus, width)]
    if not rows or room < FEWEST:
        return []
    grid = Table(box=None, pad_edge=False, header_style="dim", show_header=True)
    for title in ("GPUS", "use, memory in GiB", *[""] * (_per_line(width) - 1)):
        grid.add_column(title, no_wrap=True)
    for row in rows[: room - 1]:
        grid.add_row(*row)
    return [grid]


def _per_line(width: int) -> int:
    return 8 if width >= 150 else 4 if width >= 78 else 2  # noqa: PLR2004


def _gpu_rows(host: str, gpus: tuple[Gpu, ...] | str, width: int) -> list[list[Text | str]]:
    if isinstance(gpus, str):
        return [[host, _line(gpus, "red")]]
    per_line = _per_line(width)
    pieces = [gpus[start : start + per_line] for start in range(0, len(gpus), per_line)]
    return [["" if number else host, *map(_gpu, piece)] for number, piece in enumerate(pieces)]


def _gpu(gpu: Gpu) -> Text:
    use = "  - " if gpu.use is None else f"{gpu.use:3.0f}%"
    used, total = (
        ("-" if each is None else f"{each / 1024:.0f}") for each in (gpu.memory_used, gpu.memory_total)
    )
    return Text.assemble((f"{gpu.index} ", "dim"), (use, "green" if gpu.use else ""), f" {used}/{total}")


def _resources(sight: Sight, room: int) -> list[RenderableType]:
    """What of Ray's resources is in use: in all, and on as many nodes as there is room for."""
    alive = [(host.name, node) for host in sight.health.hosts for node in sight.alive(host.name)]
    told = [(name, {each.name: each for each in node.resources}) for name, node in alive if node.resources]
    if not isinstance(sight.table, RayTable) or room < 2:  # noqa: PLR2004
        return []
    if not told:
        return [_line("Ray does not tell what of its resources is in use", "dim")] if alive else []
    names = [name for name in SUMMED if any(name in resources for _, resources in told)]
    sums = {name: _sum(resources[name] for _, resources in told if name in resources) for name in names}
    rows = [("all", sums), *told] if len(told) > 1 else told
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
        return f"{(resource.total - resource.free) / GIB:.1f}/{resource.total / GIB:.1f} GiB"
    return f"{resource.total - resource.free:g}/{resource.total:g}"


def _events(sight: Sight, told: Sequence[Told], since: datetime, room: int) -> list[Text]:
    """What has happened, the newest at the bottom."""
    long = age((datetime.now().astimezone() - since).total_seconds())
    title = _line(f"SINCE {since:%H:%M:%S}, {long}; q ends it", "dim")
    lines = [each.line(sight.cluster.name) for each in told[-max(FEWEST, room) :]]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return [title, *(lines or [_line("nothing has happened", "dim")])]
