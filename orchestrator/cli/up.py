"""`raycluster up`: head first, then the workers, until Ray lists them all."""

import secrets as random
from functools import partial
from typing import TYPE_CHECKING

import typer

from orchestrator.cli import inventory as files
from orchestrator.cli import options
from orchestrator.cli.options import JOBS, Form

if TYPE_CHECKING:
    from orchestrator.cli.acting import Done
    from orchestrator.model.cluster import Cluster
    from orchestrator.plan.aftermath import Undo
    from orchestrator.plan.up import Sealed


def up(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    dry_run: options.DryRun = False,
    offline: options.Offline = False,
    output: options.PlanForm = Form.TEXT,
    prune: options.Prune = False,
    rollback: options.Rollback = False,
    keep: options.Keep = False,
    jobs: options.Jobs = JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Bring the cluster up, until Ray lists every host.

    The head is started first, then the workers; done means that Ray itself lists every host of the
    inventory with its GPUs. A second `up` changes nothing and says so. After a change of the inventory,
    or after a failure, it changes only the hosts concerned, and says why.
    """
    from orchestrator.cli.acting import carry_out, preview, scope
    from orchestrator.plan.aftermath import plan_aftermath
    from orchestrator.plan.assumed import nothing_there
    from orchestrator.plan.up import plan_up

    if rollback and keep:
        raise typer.BadParameter("--rollback and --keep contradict each other")
    plan_only = options.plan_only(output, dry_run=dry_run, offline=offline, prune=prune, limit=limit)
    cluster = files.load(inventory, file)
    only, sealed, pace = files.only(cluster, limit), _sealed(cluster), options.Pace(jobs, verbose)
    planner = partial(plan_up, cluster, sealed=sealed, only=only)
    if plan_only:
        raise typer.Exit(preview(cluster, planner, output, pace, nothing_there(cluster) if offline else None))
    aftermath = partial(plan_aftermath, cluster, undo=_undo(rollback=rollback, keep=keep))
    secrets = (*sealed.secrets, sealed.token)
    done = carry_out("up", cluster, planner, aftermath, pace, secrets, scope=scope(only, prune=prune))
    _conclude(cluster, done, inventory or file)
    raise typer.Exit(done.exit_code)


def _undo(*, rollback: bool, keep: bool) -> "Undo":
    from orchestrator.plan.aftermath import Undo

    return Undo.ALL if rollback else Undo.NOTHING if keep else Undo.USELESS


def _sealed(cluster: "Cluster") -> "Sealed":
    from orchestrator.model.secret import Secret
    from orchestrator.plan.host import TOKEN
    from orchestrator.plan.up import Sealed

    return Sealed(files.secrets(cluster), Secret(TOKEN, random.token_hex(32)))


def _conclude(cluster: "Cluster", done: "Done", path: str | None) -> None:
    from orchestrator.cli.failures import show_failures
    from orchestrator.cli.joined import show_joined

    if done.exit_code == 0:
        show_joined(cluster, done, path)
    else:
        show_failures(_headline(cluster, done), done, _what_now(cluster, done))


def _headline(cluster: "Cluster", done: "Done") -> str:
    if done.interrupted or done.lost:
        return f"up of cluster {cluster.name} was interrupted{done.lost and ': ' + done.lost}"
    if _headless(cluster, done):
        return f"cluster {cluster.name} is not up: its head failed"
    return f"cluster {cluster.name} is not complete: {len(done.failed)} of {len(cluster.nodes)} hosts failed"


def _headless(cluster: "Cluster", done: "Done") -> bool:
    """Whether there is no head: it was refused, or this run failed to start it."""
    stood = cluster.head.name not in {change.host for change in done.plan.changes}
    refused = {refusal.host for refusal in done.plan.refusals}
    return cluster.head.name in (refused if stood else done.failed)


def _what_now(cluster: "Cluster", done: "Done") -> str:
    if done.lost:
        return "What it had started was left there, and `raycluster up` goes on from it."
    if done.interrupted:
        return _undone(done)
    if _headless(cluster, done):
        return f"{_undone(done)} Once this is mended, `raycluster up` tries anew."
    rest = "The other hosts stay as they are." if done.removed < done.report.started else _undone(done)
    return f"{rest} Once this is mended, `raycluster up` completes the cluster."


def _undone(done: "Done") -> str:
    if not done.report.started:
        return f"Nothing was started.{_replaced(done)}"
    if not done.removed:
        return f"What this run had started stays, on {', '.join(sorted(done.report.started))}."
    but = ", but for what is said above" if done.left else ""
    return f"What this run had started was removed again{but}.{_replaced(done)}"


def _replaced(done: "Done") -> str:
    from orchestrator.plan.up import REMOVE_OLD
    from orchestrator.remote.report import Status

    tried = (result for result in done.report.results if result.status is not Status.NOT_RUN)
    hosts = dict.fromkeys(result.step.host for result in tried if result.step.title == REMOVE_OLD)
    return f" The old container is gone from {', '.join(hosts)}." if hosts else ""
