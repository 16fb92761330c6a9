"""A person's yes to what cannot be undone."""

import sys
from collections.abc import Collection

import typer

from orchestrator.cli.interrupt import INTERRUPTED
from orchestrator.cli.inventory import refuse
from orchestrator.cli.screen import notice
from orchestrator.model.cluster import Cluster, Role

NAMED = 12


def consent(question: str, *, given: bool) -> None:
    """Returns after a yes. A no is exit code 1; where nobody can be asked, it is 2."""
    if given:
        return
    if not somebody_is_there():
        refuse(f"{question} Nobody is there to answer: say yes with -y. Nothing was done.")
    notice().print(f"{question} [y/N] ", end="")
    if _answer().strip().lower() not in {"y", "yes"}:
        notice().print("nothing was done")
        raise typer.Exit(1)


def agreed(question: str, *, given: bool) -> None:
    """The same for a command whose very name is the wish: a script that says it means it."""
    if somebody_is_there():
        consent(question, given=given)


def somebody_is_there() -> bool:
    """Whether a question would be read, and could be answered."""
    return sys.stdin.isatty() and notice().is_terminal


def _answer() -> str:
    try:
        return sys.stdin.readline()
    except KeyboardInterrupt:
        notice().print("\nnothing was done")
        raise typer.Exit(INTERRUPTED) from None


def named(cluster: Cluster, names: Collection[str]) -> str:
    """`gpu1 (head), gpu2, gpu3`; of very many the first."""
    nodes = [node for node in cluster.nodes if node.name in names]
    told = [f"{node.name}{' (head)' if node.role is Role.HEAD else ''}" for node in nodes]
    more = f" and {len(told) - NAMED} more" if len(told) > NAMED else ""
    return ", ".join(told[:NAMED]) + more
