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
    if not agreed(question):
        notice().print("nothing was done")
        raise typer.Exit(1)


def agreed(question: str) -> bool:
    """Whether the answer is a yes."""
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
