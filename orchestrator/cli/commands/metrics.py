"""`raycluster metrics`: where Prometheus finds the metrics of every node."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.run import inventory_file


def metrics(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    write: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write to this file, atomically, not to standard output.",
            show_default=False,
        ),
    ] = None,
    jobs: options.Jobs = options.JOBS,
) -> None:
    """Print Ray's scrape targets for Prometheus.

    In the format of file_sd_configs. Ray itself tells the ports; they change with each `up` unless `ray.ports` is
    pinned. A host that Ray does not list, or whose Ray exports no metrics, is left out and named, and the exit code
    is 1. Without any target nothing is printed, and FILE stays as it is.
    """
    import json

    from orchestrator.cli.output.console import answer, troubles
    from orchestrator.cli.run import atomic_file
    from orchestrator.cli.run.session import look
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.status import services

    cluster = inventory_file.load_with_ray(inventory, file)
    only = inventory_file.only(cluster, limit)
    if write:
        atomic_file.make_sure(write)
    facts = look(cluster, "metrics", Depth.RAY, options.RunOptions(jobs, 0))
    exporters, without = services.metrics(cluster, facts)
    if only is not None:
        unknown = set() if exporters else {cluster.head.name}  # without the head nobody knows any
        exporters = tuple(each for each in exporters if each.node.name in only)
        without = tuple(each for each in without if each.host in only | unknown)
    text = json.dumps([*services.service_discovery(cluster, exporters)], indent=2)
    if exporters and write:
        atomic_file.replace(write, f"{text}\n")
    elif exporters:
        answer().print(text, soft_wrap=True)
    troubles((each.host, each.problem) for each in without)
    raise typer.Exit(1 if without else 0)
