"""`raycluster status`: four facts for each host, one verdict."""

from typing import TYPE_CHECKING

import typer

from orchestrator.cli import options
from orchestrator.cli.options import JOBS, StatusForm
from orchestrator.cli.run import inventory_file

if TYPE_CHECKING:
    from orchestrator.plan.status.health import ClusterHealth

NOT_HEALTHY = 3


def status(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    output: options.StatusOutput = StatusForm.TEXT,
    watch: options.Watch = False,
    jobs: options.Jobs = JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Show the state of every host, and one verdict.

    For each host: its container, whether Ray runs in it, whether it has joined, and its GPUs. Exit code 0
    means healthy: every host of the inventory is in Ray, with its GPUs. Else it is 3.

    With --watch the page stays, also shows what the GPUs do and what happens meanwhile, and ends with q or
    Ctrl-C; the exit code is that of the state at the end. In a pipe it is a line for each thing that
    happens, after the state at the beginning; with -o jsonl a JSON object for each.
    """
    from orchestrator.cli.run.session import session
    from orchestrator.cli.run.signals import INTERRUPTED
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.status.health import assess

    if output is (StatusForm.JSON if watch else StatusForm.JSONL):
        raise typer.BadParameter("jsonl goes with --watch, and json does not", param_hint="-o")
    cluster = inventory_file.load(inventory, file)
    if watch:
        from orchestrator.cli.output.watch import watch as follow

        seen = follow(cluster, jobs, as_json=output is StatusForm.JSONL)
        raise typer.Exit(_exit_code(seen) if seen else INTERRUPTED)
    with session(cluster, "status", options.RunOptions(jobs, verbose), logged=False) as run:
        health = assess(cluster, run.observe(cluster.nodes, Depth.RAY))
    run.stop_if_interrupted()
    _show(health, output)
    raise typer.Exit(_exit_code(health))


def _show(health: "ClusterHealth", output: StatusForm) -> None:
    if output is StatusForm.JSON:
        from orchestrator.cli.output import json

        json.show(health)
    else:
        from orchestrator.cli.output.status_table import show_health

        show_health(health)


def _exit_code(health: "ClusterHealth") -> int:
    from orchestrator.plan.status.health import Verdict

    return 0 if health.verdict is Verdict.HEALTHY else NOT_HEALTHY
