"""The two consoles: standard output carries the answer, standard error everything else."""

from functools import cache
from typing import NoReturn

import typer
from rich.console import Console

WIDE = 400
"""Columns for tables where nobody looks: a pipe must not cut a cell short."""


@cache
def answer() -> Console:
    """Standard output."""
    return _console(stderr=False)


@cache
def notice() -> Console:
    """Standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, emoji=False, markup=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = WIDE
    return console


def printable(text: str) -> str:
    """What a host sent back, unable to steer the terminal: control characters become visible."""
    return "".join(char if char in "\n\t" or char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def failed(host: str, why: str, fix: str) -> NoReturn:
    """Says what failed on a host and what to do; exit code 1."""
    notice().print(f"✗ {host}  {printable(why)}", style="red")
    if fix:
        notice().print(f"      → {printable(fix)}", style="yellow")
    raise typer.Exit(1)


def plural(count: int, thing: str) -> str:
    """`1 host`, `3 hosts`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"
