"""`raycluster restart`: new containers in the right order, until Ray lists them all."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from orchestrator.cli import options
from orchestrator.cli.run import inventory_file

if TYPE_CHECKING:
    from orchestrator.model.cluster import Cluster
    from orchestrator.plan.facts.host import Facts


def restart(
    hosts: options.Hosts = None,
    file: options.OnlyInventory = None,
    limit: options.Limit = None,
    dry_run: options.DryRun = False,
    output: options.PlanOutput = "text",
    yes: options.Yes = False,
    jobs: options.Jobs = options.JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Restart all or some hosts and wait until Ray lists them.

    Does what `down` and then `up` would: stops the workers, then the head; starts the head, then the workers, each
    in a new container as the inventory has it now. A missing image is fetched before anything stops. Workers cannot
    outlive their head, so restarting the head restarts them all. On a terminal it asks first.
    """
    from orchestrator.cli.output.cluster_result import conclude_up
    from orchestrator.cli.run.operation import execute, facts_for_now, looking, preview
    from orchestrator.cli.run.prompt import confirm, somebody_there
    from orchestrator.plan.actions.restart import plan_restart
    from orchestrator.plan.actions.rollback import plan_rollback
    from orchestrator.plan.facts.host import Depth

    plan_only = options.plan_only(output, dry_run=dry_run, offline=False, prune=False, limit=None)
    cluster, nodes = inventory_file.load_for_hosts(file, hosts, limit)
    only = frozenset(node.name for node in nodes) if hosts or limit else None
    sealed, pace = inventory_file.sealed(cluster), options.RunOptions(jobs, verbose, output == "jsonl")
    planner = partial(plan_restart, cluster, sealed=sealed, only=only)
    if plan_only:
        raise typer.Exit(preview(cluster, planner, output, pace, None, Depth.MACHINE))
    if somebody_there() and not yes:
        facts = facts_for_now(cluster, replace(pace, events=False), Depth.CONTAINERS)
        confirm(_question(cluster, only, facts), given=False)
    aftermath, secrets = partial(plan_rollback, cluster), (*sealed.secrets, sealed.token)
    look = looking(Depth.MACHINE, whole=only is None)
    done = execute("restart", cluster, look, planner, pace, secrets, aftermath=aftermath)
    conclude_up(done)
    raise typer.Exit(done.exit_code)


def _question(cluster: "Cluster", only: frozenset[str] | None, facts: "Facts") -> str:
    """Names every host that is restarted, also those that the person did not, and the models that end with them."""
    from orchestrator.cli.run.prompt import named
    from orchestrator.plan.actions.restart import concerned
    from orchestrator.plan.serving.ending import whatever_ends

    hosts = concerned(cluster, only)
    names = named(cluster, hosts)
    ends = whatever_ends(facts, hosts, f"on {'them' if len(hosts) > 1 else 'it'}")
    if len(hosts) < len(cluster.nodes):
        return f"Restart {names} of cluster {cluster.name}? {ends}"
    more = "No worker outlives its head. " if only is not None and only != hosts else ""
    return f"Restart cluster {cluster.name}: {names}? {more}{ends}"
