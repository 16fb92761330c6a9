"""`raycluster lock`: who works on the cluster, and ending a run that is stuck."""

from typing import TYPE_CHECKING

import typer

from orchestrator.cli import options
from orchestrator.cli.exit_codes import LOCKED
from orchestrator.cli.lazy import LeanCommand, group
from orchestrator.cli.run import inventory_file

if TYPE_CHECKING:
    from orchestrator.model.cluster import Cluster
    from orchestrator.plan.command import Command
    from orchestrator.plan.lock import Holder


app = group(help="See who works on the cluster; end a run that is stuck.")


@app.command(cls=LeanCommand)
def status(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    output: options.AnswerOutput = "text",
) -> None:
    """Show which run holds the cluster's lock.

    `up`, `down`, `restart` and `check` hold it on the head while they run, so that only one works on the
    cluster at a time. Exit code 0: it is free. 4: somebody holds it.
    """
    from orchestrator.cli.output import json
    from orchestrator.cli.output.console import answer

    cluster = inventory_file.load(inventory, file)
    holder = _ask(cluster)
    if output == "json":
        json.show(json.LockAnswer(cluster.name, holder))
    else:
        answer().print(holder.sentence(cluster) if holder else f"cluster {cluster.name} is not locked")
    raise typer.Exit(LOCKED if holder else 0)


@app.command(cls=LeanCommand)
def release(
    inventory: options.Inventory = None, file: options.InventoryOption = None, yes: options.Yes = False
) -> None:
    """End the run that holds the lock.

    For a run that is stuck, or whose machine nobody can find. It stops where it is and cleans up nothing; the
    next `up` or `down` sees to what it left. The lock of a run that has died needs no release.
    """
    from orchestrator.cli.output.console import answer, failed
    from orchestrator.cli.run.prompt import consent
    from orchestrator.plan import lock
    from orchestrator.plan.problem import Problem

    cluster = inventory_file.load(inventory, file)
    holder = _ask(cluster)
    if holder is None:
        answer().print(f"cluster {cluster.name} is not locked")
        return
    consent(f"{holder.sentence(cluster)}. End that run?", given=yes)
    _on_head(cluster, lock.release(cluster, holder))
    left = _ask(cluster)
    if left and left.pid == holder.pid:
        fix = f"end it there by hand: fuser -k ~/.raycluster/{cluster.name}/$(uname -n).lock"
        failed(cluster.head.name, Problem("the lock is still held, by a process that cannot be ended", fix))
    answer().print(f"the lock of cluster {cluster.name} is free: the run of {holder.by} was ended")


def _ask(cluster: "Cluster") -> "Holder | None":
    from orchestrator.plan import lock

    return lock.parse(_on_head(cluster, lock.ask(cluster)))


def _on_head(cluster: "Cluster", command: "Command") -> str:
    """What a command on the head says; exit code 1 where it fails."""
    from orchestrator.cli.output.console import failed
    from orchestrator.cli.run.session import session
    from orchestrator.remote.execute.lock import ask
    from orchestrator.remote.transport import Failure

    with session(cluster, "lock", options.RunOptions(1, 0), logged=False) as run:
        output = ask(run.fleet[cluster.head.name], command, run.cancel)
    if isinstance(output, Failure):
        failed(cluster.head.name, output.problem)
    return output
