"""A cluster's health as a table for people and as JSON for programs."""

from rich.table import Table
from rich.text import Text

from orchestrator.cli.screen import answer
from orchestrator.plan.health import ClusterHealth, HostHealth, Verdict, age

STYLE = {
    Verdict.HEALTHY: "green",
    Verdict.DEGRADED: "yellow",
    Verdict.DOWN: "red",
    Verdict.UNKNOWN: "magenta",
}
COLUMNS = ("host", "role", "ip", "verdict", "container", "ray", "joined", "gpus", "up", "restarts", "image")


def show_health(health: ClusterHealth) -> None:
    """Prints the verdict, the table, and what is wrong."""
    joined = sum(1 for host in health.hosts if host.joined)
    gpus = sum(host.gpus or 0 for host in health.hosts)
    told = f": Ray {health.ray_version or ''} lists {joined} of {len(health.hosts)} hosts, {gpus} GPUs"
    verdict = Text.assemble(
        f"cluster {health.cluster} is ", (health.verdict, f"bold {STYLE[health.verdict]}")
    )
    answer().print(verdict + Text(told if health.ray_version else ""))
    if len(images := _images(health)) == 1:
        answer().print(Text(f"image {images.pop()}", "dim"))
    answer().print(_table(health))
    for host in health.hosts:
        if host.trouble:
            answer().print(Text.assemble((host.name, "bold"), f": {host.trouble}"))
        for line in host.detail.splitlines():
            answer().print(Text(f"    | {line}", "dim"))
    for note in health.notes:
        answer().print(Text(note, "yellow"))
    for fix in _what_to_do(health):
        answer().print(Text(f"→ {fix}", "yellow"))


def _what_to_do(health: ClusterHealth) -> tuple[str, ...]:
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


def _table(health: ClusterHealth) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    columns = _columns(health)
    for name in columns:
        table.add_column(
            name.upper(), no_wrap=True, justify="right" if name in {"restarts", "up"} else "left"
        )
    for host in health.hosts:
        cells = _cells(host)
        table.add_row(*(cells[name] for name in columns))
    return table


def _columns(health: ClusterHealth) -> tuple[str, ...]:
    """Those that tell something: the rest would push these off a screen of 80 columns."""
    idle = {"image": len(_images(health)) <= 1, "restarts": not any(host.restarts for host in health.hosts)}
    return tuple(name for name in COLUMNS if not idle.get(name))


def _images(health: ClusterHealth) -> set[str]:
    return {host.image for host in health.hosts if host.image}


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
