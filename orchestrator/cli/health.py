"""A cluster's health as a table for people and as JSON for programs."""

from collections.abc import Collection, Iterable

from rich.cells import cell_len
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from orchestrator.cli.model_line import told
from orchestrator.cli.screen import WIDE, answer, plural
from orchestrator.plan.health import ClusterHealth, HostHealth, Verdict, age

STYLE = {
    Verdict.HEALTHY: "green",
    Verdict.DEGRADED: "yellow",
    Verdict.DOWN: "red",
    Verdict.UNKNOWN: "magenta",
}
COLUMNS = ("host", "role", "ip", "verdict", "container", "ray", "joined", "gpus", "up", "restarts", "image")
DISPENSABLE = ("image", "ip", "role")
"""Columns that a narrow screen goes without, the first one first."""


def show_health(health: ClusterHealth) -> None:
    """Prints the verdict, the table, and what is wrong."""
    answer().print(headline(health))
    if len(images := _images(health.hosts)) == 1:
        answer().print(Text(f"image {images.pop()}", "dim"))
    answer().print(fitting(health.hosts, answer().width))
    for host in health.hosts:
        if host.trouble:
            answer().print(Text.assemble((host.name, "bold"), f": {host.trouble}"))
        for line in host.detail.splitlines():
            answer().print(Text(f"    | {line}", "dim"))
    if health.model:
        answer().print(told(health.model))
    for note in health.notes:
        answer().print(Text(note, "yellow"))
    for fix in what_to_do(health):
        answer().print(Text(f"→ {fix}", "yellow"))


def headline(health: ClusterHealth) -> Text:
    """The verdict, and what Ray lists."""
    joined = sum(1 for host in health.hosts if host.joined)
    gpus = sum(host.gpus or 0 for host in health.hosts)
    told = (
        f": Ray {health.ray_version or ''} lists {joined} of {len(health.hosts)} hosts, {plural(gpus, 'GPU')}"
    )
    verdict = Text.assemble(
        f"cluster {health.cluster} is ", (health.verdict, f"bold {STYLE[health.verdict]}")
    )
    return verdict + Text(told if health.ray_version else "")


def what_to_do(health: ClusterHealth) -> tuple[str, ...]:
    """Each remedy once; where none is known for a cluster that should stand, `up` is the remedy."""
    fixes = dict.fromkeys(host.fix for host in health.hosts if host.fix)
    mendable = any(host.verdict in {Verdict.DEGRADED, Verdict.DOWN} and not host.fix for host in health.hosts)
    return (
        *fixes,
        *(
            ["`raycluster up` completes the cluster"]
            if mendable and health.verdict is Verdict.DEGRADED
            else []
        ),
    )


def fitting(hosts: Collection[HostHealth], width: int) -> Table:
    """The table with the columns that there is room for; where even the fewest are too many, names are cut."""
    options = answer().options.update(max_width=WIDE)
    for without in range(len(DISPENSABLE) + 1):
        made = _table(hosts, [name for name in _columns(hosts) if name not in DISPENSABLE[:without]])
        needed = Measurement.get(answer(), options, made).maximum
        if needed <= width:
            return made
    names = max(cell_len(host.name) for host in hosts)
    made.columns[0].max_width = max(len("host"), names - (needed - width))
    return made


def _table(hosts: Iterable[HostHealth], columns: Collection[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(
            name.upper(), no_wrap=True, justify="right" if name in {"restarts", "up"} else "left"
        )
    for host in hosts:
        cells = _cells(host)
        table.add_row(*(cells[name] for name in columns))
    return table


def _columns(hosts: Collection[HostHealth]) -> tuple[str, ...]:
    """Those that tell something: the rest would push these off a screen of 80 columns."""
    idle = {"image": len(_images(hosts)) <= 1, "restarts": not any(host.restarts for host in hosts)}
    return tuple(name for name in COLUMNS if not idle.get(name))


def _images(hosts: Iterable[HostHealth]) -> set[str]:
    return {host.image for host in hosts if host.image}


def _cells(host: HostHealth) -> dict[str, str | Text]:
    return {
        "host": host.name,
        "role": host.role,
        "ip": host.ip or "?",
        "verdict": Text(host.verdict, STYLE[host.verdict]),
        "container": host.container or "?",
        "ray": _yes(host.ray),
        "joined": _yes(host.joined),
        "gpus": _gpus(host),
        "up": "-" if host.uptime is None else age(host.uptime),
        "restarts": "-" if host.restarts is None else str(host.restarts),
        "image": host.image or "-",
    }


def _yes(fact: bool | None) -> str:
    return "?" if fact is None else "yes" if fact else "no"


def _gpus(host: HostHealth) -> str:
    if host.gpus is None:
        return "-" if host.gpus_expected is None else f"-/{host.gpus_expected}"
    return f"{host.gpus}/{host.gpus_expected}"
