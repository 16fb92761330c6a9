"""A person's yes to what cannot be undone: asked for on a terminal, required as an option elsewhere."""

import sys

import typer

from orchestrator.cli.inventory import refuse
from orchestrator.cli.screen import notice


def consent(question: str, *, given: bool) -> None:
    """Returns after a yes. A no is exit code 1; where nobody can be asked, it is 2."""
    if given:
        return
    if not (sys.stdin.isatty() and notice().is_terminal):
        refuse(f"{question} Nobody is there to answer: say yes with -y. Nothing was done.")
    notice().print(f"{question} [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        notice().print("nothing was done")
        raise typer.Exit(1)
