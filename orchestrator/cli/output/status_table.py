"""A cluster's health as a table for people and as JSON for programs."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from rich.text import Text

from orchestrator.cli.output import typed
from orchestrator.cli.output.console import answer, gathered, printable
from orchestrator.cli.output.typed import shown
from orchestrator.model.accelerators import KINDS
from orchestrator.model.cluster import Accelerator, Engine
from orchestrator.plan import engine
from orchestrator.plan.problem import plural
from orchestrator.plan.remedies import format_duration
from orchestrator.plan.serving.health import ModelHealth
from orchestrator.plan.serving.servers import MOST_HOSTS
from orchestrator.plan.status.health import ClusterHealth, HostHealth, Verdict
from orchestrator.plan.typed import has_line


def model_state(model: ModelHealth) -> Text:
    """A model's state, and where it is."""
    style, state = ("green", "answers") if model.answers else ("yellow", "does not answer")
    if model.untried:
        style, state = "yellow", "listens"
    more = (
        f": {model.trouble}" if model.trouble else f" at {model.url}/v1, for {format_duration(model.since)}"
    )
    ranks = f", {plural(model.ranks, 'rank')}" if model.ranks and model.answers else ""
    again = f", started {model.lives} times" if model.lives > 1 else ""
    doubt = f"; {model.untried}" if model.untried else ""
    return Text.assemble(
        f"model {model.title} ", (state, f"bold {style}"), more, ranks, f", {_place(model)}", again, doubt
    )


def _place(model: ModelHealth) -> str:
    """On which hosts it is, and how many devices it has there; of many hosts, on how many."""
    device, held = KINDS[model.accelerator].device, {host: n for host, n in model.gpus_by_host.items() if n}
    hosts, counts = tuple(held) or model.hosts, sorted(set(held.values()))
    names = ", ".join(hosts) if len(hosts) <= MOST_HOSTS else plural(len(hosts), "host")
    if not counts:
        return f"on {names}"
    if not counts[1:]:
        return f"{plural(counts[0], device)} on {'each of ' if hosts[1:] else ''}{names}"
    if len(hosts) > MOST_HOSTS:
        return f"{plural(sum(held.values()), device)} on {names}"
    (first, count), *others = held.items()
    return ", ".join((f"{plural(count, device)} on {first}", *(f"{n} on {host}" for host, n in others)))


STYLE = {
    Verdict.HEALTHY: "green",
    Verdict.DEGRADED: "yellow",
    Verdict.DOWN: "red",
    Verdict.UNKNOWN: "magenta",
}
COLUMNS = ("host", "role", "ip", "verdict", "container", "ray", "joined", "gpus", "up", "restarts", "image")
DISPENSABLE = ("image", "ip", "role", "up")
"""Columns that a narrow screen goes without, the first one first."""
RIGHT = frozenset({"restarts", "up"})
GAP = "  "
ASKED = "asking"
"""Instead of a verdict, on a host that cannot be judged yet."""
Cells = dict[str, Text]


def show_health(health: ClusterHealth) -> None:
    """Prints the verdict, the table, and what is wrong."""
    answer().print(headline(health))
    if len(images := _images(health.hosts)) == 1:
        answer().print(Text(f"image {images.pop()}", "dim"))
    answer().print(Text("\n").join(fitting(health.hosts, answer().width, health.engine)))
    for host in health.hosts:
        if host.trouble:
            answer().print(Text.assemble((host.name, "bold"), f": {host.trouble}"))
        for line in host.detail.splitlines():
            answer().print(Text(f"    | {line}", "dim"))
    for model in health.models:
        answer().print(model_state(model))
    for note in health.notes:
        answer().print(Text(note, "yellow"))
    if health.run:
        answer().print(Text(health.run.run, "yellow"))
    for fix in what_to_do(health):
        answer().print(Text(f"→ {fix}", "yellow"))


def headline(health: ClusterHealth) -> Text:
    """The verdict, and what Ray lists."""
    joined = sum(1 for host in health.hosts if host.joined)
    says = engine.named(health.engine).summary_prefix(health.ray_version)
    members = f"{joined} of {len(health.hosts)} hosts{in_all((host.accelerator, host.gpus) for host in health.hosts)}"
    verdict = Text.assemble(
        f"cluster {health.cluster} is ", (health.verdict, f"bold {STYLE[health.verdict]}")
    )
    return verdict + Text(f": {says} {members}" if says else "")


def in_all(each: Iterable[tuple[Accelerator, int | None]]) -> str:
    """How many devices, as a sentence goes on; empty where nothing is known of any."""
    known = dict[str, int]()
    for accelerator, count in each:
        if count is not None:
            device = KINDS[accelerator].device
            known[device] = known.get(device, 0) + count
    return "".join(f", {plural(count, device)}" for device, count in known.items())


def what_to_do(health: ClusterHealth) -> tuple[str, ...]:
    """Each remedy once; where none is known for a cluster that should stand, `up` is the remedy."""
    asked = gathered((host.name, host.fix) for host in health.hosts if host.fix)
    fixes = [_named(fix, names) for fix, names in asked.items()]
    mendable = any(host.verdict in {Verdict.DEGRADED, Verdict.DOWN} and not host.fix for host in health.hosts)
    if mendable and health.verdict is Verdict.DEGRADED and not health.run:
        return (*fixes, typed.line("up"))
    of_models = dict.fromkeys(shown(model.fix, [model.host]) for model in health.models if model.fix)
    return (*fixes, *of_models)


def _named(fix: str, hosts: Sequence[str]) -> str:
    """What to do about these hosts, where nothing stands beside it that tells them."""
    told = shown(fix, hosts)
    return told if has_line(fix) else f"{told} ({', '.join(hosts)})"


def as_told(health: ClusterHealth) -> ClusterHealth:
    """The same with remedies as they are to be typed."""
    hosts = tuple(replace(host, fix=shown(host.fix, [host.name])) for host in health.hosts)
    models = tuple(replace(model, fix=shown(model.fix, [model.host])) for model in health.models)
    return replace(health, hosts=hosts, models=models)


def fitting(
    hosts: Collection[HostHealth], width: int, of: Engine, undecided: Collection[str] = ()
) -> list[Text]:
    """The table with the columns that there is room for, line by line: Rich's own takes 0.6 ms for each.

    `undecided`: the hosts of which nothing is told that an answer may still change.

    Where even the fewest are too many, names are cut; what is still too long is left to whoever shows it.
    """
    cells = [_cells(host, undecided=host.name in undecided) for host in hosts]
    widths = {name: _width(name, cells) for name in _columns(hosts, of)}
    for name in DISPENSABLE:
        if _needed(widths) > width:
            widths.pop(name, None)
    widths["host"] = max(len("host"), widths["host"] - max(0, _needed(widths) - width))
    header = {name: _cell(_title(name, hosts), "dim") for name in widths}
    return [_row(each, widths) for each in (header, *cells)]


def _title(name: str, hosts: Collection[HostHealth]) -> str:
    """What stands above a column: that of the GPUs is called by what the hosts have."""
    kinds = {KINDS[host.accelerator].device for host in hosts}
    return f"{kinds.pop()}S" if name == "gpus" and len(kinds) == 1 else name.upper()


def _width(name: str, cells: Iterable[Cells]) -> int:
    return max(len(name), *(each[name].cell_len for each in cells))


def _needed(widths: Mapping[str, int]) -> int:
    """The columns, and the blanks between them."""
    return sum(widths.values()) + len(GAP) * (len(widths) - 1)


def _row(cells: Cells, widths: Mapping[str, int]) -> Text:
    for name, width in widths.items():
        cells[name].align("right" if name in RIGHT else "left", width)
    row = Text(GAP).join(cells[name] for name in widths)
    row.rstrip()
    return row


def _cell(text: str, style: str = "") -> Text:
    return Text(printable(text), style, overflow="ellipsis")


def _columns(hosts: Collection[HostHealth], of: Engine) -> tuple[str, ...]:
    """Those that tell something: the rest would push these off a screen of 80 columns."""
    idle = {"image": len(_images(hosts)) <= 1, "restarts": not any(host.restarts for host in hosts)}
    there = (name for name in COLUMNS if name not in engine.named(of).hidden_columns)
    return tuple(name for name in there if not idle.get(name))


def _images(hosts: Iterable[HostHealth]) -> set[str]:
    return {host.image for host in hosts if host.image}


def _cells(host: HostHealth, *, undecided: bool) -> Cells:
    texts = {
        "host": host.name,
        "role": host.role,
        "ip": host.ip or "?",
        "verdict": host.verdict,
        "container": host.container or "?",
        "ray": _yes(host.ray),
        "joined": _yes(host.joined),
        "gpus": _gpus(host),
        "up": "-" if host.uptime is None else format_duration(host.uptime),
        "restarts": "-" if host.restarts is None else str(host.restarts),
        "image": host.image or "-",
    }
    styles = {"verdict": STYLE[host.verdict]}
    if undecided:
        texts |= dict.fromkeys(("ray", "joined", "gpus"), "") | {"verdict": ASKED}
        texts |= {} if host.container else {"container": "", "up": ""}
        styles = {"verdict": "dim"}
    return {name: _cell(text, styles.get(name, "")) for name, text in texts.items()}


def _yes(fact: bool | None) -> str:
    return "?" if fact is None else "yes" if fact else "no"


def _gpus(host: HostHealth) -> str:
    if host.gpus is None:
        return "-" if host.gpus_expected is None else f"-/{host.gpus_expected}"
    return f"{host.gpus}/{host.gpus_expected}"
