"""A person's yes to what cannot be undone: asked for on a terminal, required as an option elsewhere."""

import sys

import typer

from orchestrator.cli.interrupt import INTERRUPTED
from orchestrator.cli.inventory import refuse
from orchestrator.cli.screen import notice


def consent(question: str, *, given: bool) -> None:
    """Returns after a yes. A no is exit code 1; where nobody can be asked, it is 2."""
    if given:
        return
    if not somebody_there():
        refuse(f"{question} Nobody is there to answer: say yes with -y. Nothing was done.")
    if reply(f"{question} [y/N] ").lower() not in {"y", "yes"}:
        notice().print("nothing was done")
        raise typer.Exit(1)


def reply(question: str) -> str:
    """What a person answers; empty for nothing. Ctrl-C is exit code 130."""
    notice().print(question, end="")
    try:
        return sys.stdin.readline().strip()
    except KeyboardInterrupt:
        notice().print()
        raise typer.Exit(INTERRUPTED) from None


def somebody_there() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty() and notice().is_terminal
