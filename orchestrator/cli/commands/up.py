"""`raycluster up`: head first, then the workers, until Ray lists them all."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from orchestrator.cli import options
from orchestrator.cli.run import inventory_file

if TYPE_CHECKING:
    from orchestrator.model.cluster import Cluster
    from orchestrator.plan.facts.host import Facts
    from orchestrator.plan.steps import Plan


def up(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    dry_run: options.DryRun = False,
    offline: options.Offline = False,
    output: options.PlanOutput = "text",
    prune: options.Prune = False,
    rollback: options.Rollback = False,
    keep: options.Keep = False,
    yes: options.Yes = False,
    serve: options.Serve = False,
    jobs: options.Jobs = options.JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Start the cluster and wait until Ray lists every host.

    The head is started first, then the workers; done means that Ray itself lists every host of the
    inventory with its GPUs. A second `up` changes nothing and says so. After a change of the inventory,
    or after a failure, it changes only the hosts concerned, and says why. On a terminal it asks before it ends a
    model.
    """
    from orchestrator.cli.output.cluster_result import conclude_up
    from orchestrator.cli.run.operation import execute, facts_for_now, looking, preview
    from orchestrator.cli.run.prompt import confirm, somebody_there
    from orchestrator.plan.actions.rollback import Undo, plan_rollback
    from orchestrator.plan.actions.up import plan_up
    from orchestrator.plan.facts.host import Depth

    if rollback and keep:
        raise typer.BadParameter("--rollback and --keep contradict each other")
    plan_only = options.plan_only(output, dry_run=dry_run, offline=offline, prune=prune, limit=limit)
    cluster = inventory_file.load(inventory, file)
    models = cluster.serve if serve else ()
    if serve and plan_only:
        raise typer.BadParameter("goes with neither --dry-run nor -o sh", param_hint="--serve")
    if serve and not models:
        inventory_file.refuse("--serve: the inventory names no model; set `serve: {model: …}`")
    only, sealed = inventory_file.only(cluster, limit), inventory_file.sealed(cluster)
    pace = options.RunOptions(jobs, verbose, output == "jsonl")
    planner = partial(plan_up, cluster, sealed=sealed, only=only)
    if plan_only:
        from orchestrator.plan.facts.offline import nothing_there

        assumed = nothing_there(cluster) if offline else None
        raise typer.Exit(preview(cluster, planner, output, pace, assumed, Depth.MACHINE))
    if somebody_there() and not yes:
        facts = facts_for_now(cluster, replace(pace, events=False), Depth.MACHINE)
        if question := _question(cluster, facts, planner(facts)):
            confirm(question, given=False)
    undo = Undo.ALL if rollback else Undo.NOTHING if keep else Undo.FAILED_ONLY
    aftermath, secrets = partial(plan_rollback, cluster, undo=undo), (*sealed.secrets, sealed.token)
    look = looking(Depth.MACHINE, whole=only is None, prune=prune)
    done = execute("up", cluster, look, planner, pace, secrets, aftermath=aftermath)
    conclude_up(done, limit)
    if done.exit_code or not models:
        raise typer.Exit(done.exit_code)
    from orchestrator.cli.run.serving.serve import serve as serve_models

    raise typer.Exit(serve_models(cluster, models, pace))


def _question(cluster: "Cluster", facts: "Facts", plan: "Plan") -> str:
    """Names the hosts whose new containers end models, and those; empty where none ends."""
    from orchestrator.cli.run.prompt import named
    from orchestrator.plan.serving.ending import ending, whatever_ends

    anew = frozenset(change.host for change in plan.changes)
    hosts = frozenset(problem.host for problem in ending(facts, anew, anew=True))
    what = f"Replace the containers of cluster {cluster.name} on {named(cluster, hosts)}?"
    return f"{what} {whatever_ends(facts, anew, 'in them')}" if hosts else ""
