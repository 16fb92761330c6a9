"""`raycluster down`: workers, then the head; then a second look."""

from dataclasses import replace
from functools import partial

import typer

from orchestrator.cli import options
from orchestrator.cli.run import inventory_file


def down(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    dry_run: options.DryRun = False,
    offline: options.Offline = False,
    output: options.PlanOutput = "text",
    prune: options.Prune = False,
    yes: options.Yes = False,
    jobs: options.Jobs = options.JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Stop the cluster and verify that its containers are gone.

    Stops the workers, then the head, then inspects all hosts again. Only containers with this cluster's label
    are touched. A host that could not be asked is a failure, never a success. A second `down` changes nothing
    and says so. On a terminal it asks first.
    """
    from orchestrator.cli.output.cluster_result import conclude_down
    from orchestrator.cli.run.operation import execute, facts_for_now, looking, preview
    from orchestrator.cli.run.prompt import confirm, named, somebody_there
    from orchestrator.plan.actions.down import plan_down
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.facts.offline import all_there
    from orchestrator.plan.serving.ending import whatever_ends

    plan_only = options.plan_only(output, dry_run=dry_run, offline=offline, prune=prune, limit=limit)
    cluster = inventory_file.load(inventory, file)
    only = inventory_file.only(cluster, limit)
    pace = options.RunOptions(jobs, verbose, output == "jsonl")
    planner = partial(plan_down, cluster, only=only)
    if plan_only:
        assumed = all_there(cluster) if offline else None
        raise typer.Exit(preview(cluster, planner, output, pace, assumed, Depth.RAY))
    if somebody_there() and not yes:
        facts = facts_for_now(cluster, replace(pace, events=False), Depth.CONTAINERS)
        if there := frozenset(change.host for change in planner(facts).changes):
            what = f"Take down cluster {cluster.name}: its containers on {named(cluster, there)}?"
            confirm(f"{what} {whatever_ends(facts, there, 'in them')}", given=False)
    depth = Depth.RAY if prune else Depth.CONTAINERS  # else Ray is asked while workers are being stopped
    look = looking(depth, whole=only is None, prune=prune)
    done = execute("down", cluster, look, planner, pace)
    conclude_down(done, only, limit)
    raise typer.Exit(done.exit_code)
