"""`raycluster logs`: what all hosts say, in the order of time."""

from contextlib import closing
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.exit_codes import INTERRUPTED
from orchestrator.cli.run import inventory_file

if TYPE_CHECKING:
    from orchestrator.model.cluster import Cluster
    from orchestrator.remote.logs.read import Wanted

RAY_TAIL = "100"
"""Lines of each of Ray's files, which may have a hundred megabytes."""

Follow = Annotated[bool, typer.Option("-f", "--follow", help="Follow the logs until Ctrl-C.")]
Tail = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--tail",
        metavar="N",
        help=f"Only the last N lines of each host, or all. Default: all; with --ray {RAY_TAIL} of each file.",
        show_default=False,
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Only lines newer than this: 10m, 1h30m, 2026-03-01T12:00:00Z, or seconds since 1970.",
        show_default=False,
    ),
]
RayFiles = Annotated[
    bool, typer.Option("--ray", help="Instead, the logs of Ray's own daemons, from files in the containers.")
]


def logs(
    hosts: options.Hosts = None,
    file: options.OnlyInventory = None,
    limit: options.Limit = None,
    follow: Follow = False,
    tail: Tail = None,
    since: Since = None,
    ray: RayFiles = False,
    jobs: options.Jobs = options.JOBS,
) -> None:
    """Show the logs of all containers, merged by time.

    Lines are in order of time, by the hosts' own clocks. With -f new lines follow as they come; a host that is lost
    and comes back goes on where it stopped, and so does a new container. --ray shows the files of raylet, GCS,
    autoscaler monitor and dashboard; a line without a time stays below the one before it in its file. Exit code 1:
    the log of some host could not be read; 130: Ctrl-C.
    """
    from orchestrator.plan.logs.lines import ContainerLog, FileLog

    wanted_tail, wanted_since = tail_of(tail or (RAY_TAIL if ray else "all")), _since(since, ray=ray)
    cluster, nodes = inventory_file.load_for_hosts(file, hosts, limit)
    if ray:
        inventory_file.demand_ray(cluster)
    wanted = {
        node: FileLog(node, wanted_tail) if ray else ContainerLog(node, wanted_tail, wanted_since)
        for node in nodes
    }
    raise typer.Exit(show(cluster, wanted, jobs, follow=follow))


def show(cluster: "Cluster", wanted: "Wanted", jobs: int, *, follow: bool) -> int:
    """Shows the logs that are wanted; the exit code."""
    return _follow(cluster, wanted, jobs) if follow else _read(cluster, wanted, jobs)


def tail_of(written: str) -> str:
    """How many lines were asked for."""
    if written == "all" or (written.isascii() and written.isdigit()):
        return written
    raise typer.BadParameter(f'"{written}" is neither a number of lines nor all', param_hint="-n")


def _since(written: str | None, *, ray: bool) -> str:
    from orchestrator.plan.logs.lines import parse_since

    if written is None:
        return ""
    if ray:
        raise typer.BadParameter(
            "does not go with --ray: not every line there has a time", param_hint="--since"
        )
    if (time := parse_since(written)) is None:
        known = "10m, 1h30m, 2026-03-01T12:00:00Z, or seconds since 1970"
        raise typer.BadParameter(f'"{written}" is not a time. Write {known}', param_hint="--since")
    return time


def _read(cluster: "Cluster", wanted: "Wanted", jobs: int) -> int:
    """Shows the logs of all hosts that have one; the exit code."""
    from orchestrator.cli.output.console import troubles
    from orchestrator.cli.output.log_lines import Printer
    from orchestrator.cli.run.session import session
    from orchestrator.plan.logs.lines import in_order
    from orchestrator.remote.logs.read import read
    from orchestrator.remote.transport import Failure

    with session(cluster, "logs", options.RunOptions(jobs, 0), logged=False) as run:
        got = read(cluster, wanted, run.fleet, run.tell, run.cancel)
    if run.cancel.is_set():
        return INTERRUPTED
    lines = (line for log in got.values() if not isinstance(log, Failure) for line in log)
    Printer(cluster, wanted).show(tuple(in_order(lines)))
    failed = {host: each.problem for host, each in got.items() if isinstance(each, Failure)}
    troubles(failed.items())
    return 1 if failed else 0


def _follow(cluster: "Cluster", wanted: "Wanted", jobs: int) -> int:
    """Shows what comes until Ctrl-C, or until no host can be followed any more; the exit code."""
    from orchestrator.cli.output.log_lines import Printer
    from orchestrator.cli.run.signals import stopped_by_signals
    from orchestrator.remote.fleet import Fleet, connect_to
    from orchestrator.remote.logs.follow import follow

    cancel, printer = Event(), Printer(cluster, wanted)
    with (
        Fleet(cluster, connect_to, jobs) as fleet,
        stopped_by_signals(cancel, message="", unread=True),
        closing(follow(cluster, wanted, fleet, cancel)) as batches,
    ):
        for each in batches:
            printer.show(each.lines)
            printer.tell(each.said)
    return INTERRUPTED if cancel.is_set() else 1
