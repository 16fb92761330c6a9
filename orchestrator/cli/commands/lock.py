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


app = group(help="Show which run holds the lock, or end one that is stuck.")


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

    For a run that is stuck, or on a machine that is out of reach. It stops at once and cleans up nothing; the next
    `up` or `down` goes on from there. A run that has died holds no lock, and needs no release.
    """
    from orchestrator.cli.output.console import answer, failed
    from orchestrator.cli.run.prompt import consent
    from orchestrator.plan import lock
    from orchestrator.plan.problem import Problem
    from orchestrator.plan.typed import there

    cluster = inventory_file.load(inventory, file)
    holder = _ask(cluster)
    if holder is None:
        answer().print(f"cluster {cluster.name} is not locked")
        return
    consent(f"{holder.sentence(cluster)}. End that run?", given=yes)
    _on_head(cluster, lock.release(cluster, holder))
    left = _ask(cluster)
    if left and left.pid == holder.pid:
        failed(
            cluster.head.name,
            Problem("the process that holds the lock does not end", there(f"kill -9 {left.pid}")),
        )
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
