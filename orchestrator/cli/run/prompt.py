"""A person's yes to what cannot be undone."""

import sys
from collections.abc import Collection

import typer

from orchestrator.cli.exit_codes import INTERRUPTED
from orchestrator.cli.output.console import notice
from orchestrator.cli.run import keyboard
from orchestrator.cli.run.inventory_file import refuse
from orchestrator.model.cluster import Cluster, Role

NAMED = 12


def consent(question: str, *, given: bool) -> None:
    """Returns after a yes. A no is exit code 1; where nobody can be asked, it is 2."""
    if given:
        return
    if not somebody_there():
        refuse(f"{question} Nobody is there to answer: say yes with -y. Nothing was done.")
    if not agreed(question):
        notice().print("nothing was done")
        raise typer.Exit(1)


def confirm(question: str, *, given: bool) -> None:
    """The same for a command whose very name is the wish: a script that says it means it."""
    if somebody_there():
        consent(question, given=given)


def agreed(question: str) -> bool:
    """Whether the answer is a yes. What was typed before the question is none."""
    keyboard.forget_typed()
    return (reply(f"{question} [y/N] ") or "").lower() in {"y", "yes"}


def reply(question: str) -> str | None:
    """What is answered; None where the input has ended. Ctrl-C is exit code 130."""
    notice().print(question, end="")
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        notice().print()
        raise typer.Exit(INTERRUPTED) from None
    return line.strip() if line else None


def somebody_there() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty() and notice().is_terminal


def named(cluster: Cluster, names: Collection[str]) -> str:
    """`gpu1 (head), gpu2, gpu3`; of very many the first."""
    nodes = [node for node in cluster.nodes if node.name in names]
    listed = [f"{node.name}{' (head)' if node.role is Role.HEAD else ''}" for node in nodes]
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + more
