"""`raycluster down`: workers, then the head; then a second look."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from orchestrator.cli import options
from orchestrator.cli.options import JOBS, PlanForm
from orchestrator.cli.run import inventory_file

if TYPE_CHECKING:
    from orchestrator.cli.run.operation import RunResult
    from orchestrator.cli.run.session import Session
    from orchestrator.model.cluster import Cluster
    from orchestrator.plan.facts.host import Facts
    from orchestrator.plan.steps import HostProblem, Plan
    from orchestrator.remote.execute.events import Report


def down(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    dry_run: options.DryRun = False,
    offline: options.Offline = False,
    output: options.PlanOutput = PlanForm.TEXT,
    prune: options.Prune = False,
    yes: options.Yes = False,
    jobs: options.Jobs = JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Take the cluster down, and see that it is gone.

    Workers are stopped first, then the head, in good order; then all are looked at again. Only containers
    that carry this cluster's label are touched. A host that could not be asked is a failure, never a
    success. A second `down` changes nothing and says so. On a terminal it asks first.
    """
    from orchestrator.cli.run.operation import execute, looking, plan_for_now, preview
    from orchestrator.cli.run.prompt import confirm, somebody_there
    from orchestrator.plan.actions.down import plan_down
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.facts.offline import all_there

    plan_only = options.plan_only(output, dry_run=dry_run, offline=offline, prune=prune, limit=limit)
    cluster = inventory_file.load(inventory, file)
    only, pace = (
        inventory_file.only(cluster, limit),
        options.RunOptions(jobs, verbose, output is PlanForm.JSONL),
    )
    planner = partial(plan_down, cluster, only=only)
    if plan_only:
        assumed = all_there(cluster) if offline else None
        raise typer.Exit(preview(cluster, planner, output, pace, assumed, Depth.RAY))
    if somebody_there() and not yes:
        plan = plan_for_now(cluster, planner, replace(pace, events=False), Depth.CONTAINERS)
        if plan.changes:
            confirm(_question(cluster, plan), given=False)
    depth = Depth.RAY if prune else Depth.CONTAINERS  # else Ray is asked while workers are being stopped
    look = looking(depth, whole=only is None, prune=prune)
    done = execute("down", cluster, look, planner, pace, inspect_after=_left_behind)
    if pace.events:
        from orchestrator.cli.output.failures import show_result

        show_result("down", cluster, done, _told(_named(cluster, only), done))
    else:
        _conclude(cluster, _named(cluster, only), done)
    raise typer.Exit(done.exit_code)


def _left_behind(run: "Session", facts: "Facts", report: "Report") -> "tuple[HostProblem, ...]":
    """What is on hosts that the inventory does not have, where Ray was asked for them while the plan ran."""
    from orchestrator.plan.actions.down import heard_meanwhile, left_behind
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.steps import Plan, StepKind
    from orchestrator.remote.execute.events import Planned

    asked = next((each.output for each in report.results if each.step.kind is StepKind.ASK_RAY), None)
    if asked is None:
        return ()
    facts = heard_meanwhile(run.cluster, facts, asked.stdout)
    left = tuple(left_behind(run.cluster, facts | run.observe_outside(facts, Depth.CONTAINERS)))
    if left:
        run.tell(Planned(Plan("see what is left outside of the inventory", refusals=left)))
    return left


def _question(cluster: "Cluster", plan: "Plan") -> str:
    from orchestrator.cli.run.prompt import named

    there = named(cluster, {change.host for change in plan.changes})
    return f"Take down cluster {cluster.name}: its containers on {there}? Whatever runs in them ends."


def _named(cluster: "Cluster", only: frozenset[str] | None) -> str:
    """What is taken down: the cluster, or the hosts that `--limit` left of it."""
    if only is None:
        return f"cluster {cluster.name}"
    names = ", ".join(node.name for node in cluster.nodes if node.name in only)
    return f"cluster {cluster.name} on {names}"


def _conclude(cluster: "Cluster", what: str, done: "RunResult") -> None:
    from orchestrator.cli.output.console import answer
    from orchestrator.cli.output.failures import show_failures

    if done.exit_code:
        again = done.interrupted or any(node.name in done.failed for node in cluster.nodes)
        what_now = "Once this is mended, `raycluster down` takes down what remains." if again else ""
        show_failures(_told(what, done), done, what_now)
    else:
        answer().print(_told(what, done))


def _told(what: str, done: "RunResult") -> str:
    """How it ended, in a sentence."""
    from orchestrator.cli.output.console import plural

    if done.exit_code:
        failed = f"{plural(len(done.failed), 'host')} failed"
        why = done.lost or ("interrupted" if done.interrupted else failed)
        return f"{what} is not known to be down: {why}"
    if done.plan.phases:
        hosts = plural(len(done.plan.changes), "host")
        return f"{what} is down: its containers are gone from {hosts} ({done.seconds:.1f} s)"
    return f"{what} is down already: none of its hosts has a container of it"
