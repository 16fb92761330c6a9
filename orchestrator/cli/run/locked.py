"""A cluster's lock that another run holds: who has it, and that nothing was done."""

from typing import NoReturn

import typer

from orchestrator.cli.output.console import notice
from orchestrator.model.cluster import Cluster
from orchestrator.plan.lock import Holder
from orchestrator.plan.remedies import format_duration

LOCKED = 4


def refuse_locked(cluster: Cluster, holder: Holder) -> NoReturn:
    """Says who works on the cluster, and that nothing was done."""
    notice().print(f"✗ {locked(cluster, holder)}", style="bold red")
    notice().print("Nothing was done. Wait until it has ended; should it be stuck: raycluster lock release")
    raise typer.Exit(LOCKED)


def locked(cluster: Cluster, holder: Holder) -> str:
    """Who holds the lock, in a sentence."""
    who = f"{holder.by} has run `raycluster {holder.command}` for {format_duration(holder.seconds)}"
    return f"cluster {cluster.name} is locked: {who}"
