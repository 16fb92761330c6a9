"""`raycluster status`: four facts for each host, one verdict."""

from typing import TYPE_CHECKING

import typer

from orchestrator.cli import inventory as files
from orchestrator.cli import options
from orchestrator.cli.options import JOBS, AnswerForm

if TYPE_CHECKING:
    from orchestrator.plan.health import ClusterHealth

NOT_HEALTHY = 3


def status(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    output: options.AnswerOutput = AnswerForm.TEXT,
    watch: options.Watch = False,
    jobs: options.Jobs = JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Show the state of every host, and one verdict.

    For each host: its container, whether Ray runs in it, whether it has joined, and its GPUs. Exit code 0
    means healthy: every host of the inventory is in Ray, with its GPUs. Else it is 3.

    With --watch the page stays, also shows what the GPUs do and what happens meanwhile, and ends with q or
    Ctrl-C; the exit code is that of the state at the end. In a pipe it is a line for each thing that
    happens, after the state at the beginning; with -o json a JSON object for each.
    """
    from orchestrator.cli import answers
    from orchestrator.cli.health import show_health
    from orchestrator.cli.interrupt import INTERRUPTED
    from orchestrator.cli.session import session
    from orchestrator.plan.health import assess

    cluster = files.load(inventory, file)
    if watch:
        from orchestrator.cli.watch import watch as watch_cluster

        health = watch_cluster(cluster, jobs, output)
        raise typer.Exit(_exit_code(health) if health else INTERRUPTED)
    with session(cluster, "status", options.Pace(jobs, verbose), logged=False) as run:
        health = assess(cluster, run.observe(cluster.nodes))
    if run.cancel.is_set():
        raise typer.Exit(INTERRUPTED)
    (answers.show if output is AnswerForm.JSON else show_health)(health)
    raise typer.Exit(_exit_code(health))


def _exit_code(health: "ClusterHealth") -> int:
    from orchestrator.plan.health import Verdict

    return 0 if health.verdict is Verdict.HEALTHY else NOT_HEALTHY
