"""`raycluster status`: four facts for each host, one verdict."""

import typer

from orchestrator.cli import options
from orchestrator.cli.exit_codes import INTERRUPTED, NOT_HEALTHY
from orchestrator.cli.run import inventory_file


def status(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    output: options.StatusOutput = "text",
    watch: options.Watch = False,
    jobs: options.Jobs = options.JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Show the state of every host and one verdict.

    For each host: its container, whether Ray runs in it, whether it has joined, and its GPUs. Exit code 0
    means healthy: every host of the inventory is in Ray, with its GPUs. Else it is 3.

    With --watch the page is kept up to date, with the use of the GPUs and what happens meanwhile, until q or Ctrl-C;
    the exit code is that of the last state. In a pipe it prints the state, then a line for each event; with
    -o jsonl a JSON object for each.
    """
    from orchestrator.cli.run.session import look
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.status.health import Verdict, assess

    if output == ("json" if watch else "jsonl"):
        raise typer.BadParameter("jsonl goes with --watch, and json does not", param_hint="-o")
    if watch and inventory and inventory.replace(".", "").isdigit():
        raise typer.BadParameter("takes no number: the page shows what happens at once", param_hint="--watch")
    cluster = inventory_file.load(inventory, file)
    only = inventory_file.only(cluster, limit)
    if watch:
        from orchestrator.cli.output.watch import watch as follow

        health = follow(cluster, only, jobs, as_json=output == "jsonl")
    else:
        nodes = inventory_file.with_head(cluster, only)
        facts = look(cluster, "status", Depth.RAY, options.RunOptions(jobs, verbose), nodes)
        health = assess(cluster, facts, only)
        if output == "json":
            from orchestrator.cli.output.json import show
            from orchestrator.cli.output.status_table import as_told

            show(as_told(health))
        else:
            from orchestrator.cli.output.status_table import show_health

            show_health(health)
    if health is None:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(0 if health.verdict is Verdict.HEALTHY else NOT_HEALTHY)
