"""The two consoles: standard output carries the answer, standard error everything else."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TextIO, TypeVar, cast

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from orchestrator.cli.output.typed import shown
from orchestrator.plan.problem import Problem

T = TypeVar("T")

WIDE = 400
"""Columns for tables where nobody looks: a pipe must not cut a cell short."""


class Screen(Console):
    """A console whose text cannot steer the terminal, wherever it comes from: only Rich's own codes do.

    Texts are made printable twice: before Rich measures them, so that tables fit, and once more when all
    is drawn, for whatever came ready-made. Where somebody looks they are folded between words, but for what is printed
    with `soft_wrap=True`: it is for programs, or has lines of its own.
    """

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        if self.is_terminal and not soft_wrap:
            from orchestrator.cli.output.fold import folded

            texts = (Text(printable(each)) if isinstance(each, str) else each for each in objects)
            objects = tuple(folded(each, self.width) if isinstance(each, Text) else each for each in texts)
        super().print(*objects, soft_wrap=soft_wrap, **options)

    def on_broken_pipe(self) -> None:
        """Rich would leave with exit code 1 here; what it means, `readers` knows."""
        raise  # noqa: PLE0704 - what Rich has caught

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


@cache
def answer() -> Console:
    """Standard output."""
    return _console(stderr=False)


@cache
def notice() -> Console:
    """Standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Screen(stderr=stderr, highlight=False, emoji=False, markup=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = WIDE
    return console


def painted(text: str, style: str) -> str:
    """A text in a style as standard output takes it now: plain in a pipe."""
    with answer().capture() as drawn:
        answer().print(Text(printable(text), style), end="", soft_wrap=True)
    return drawn.get()


def print_table(table: RenderableType) -> None:
    """A table without the blanks that fill its last column."""
    with answer().capture() as drawn:
        answer().print(table)
    write_lines("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))


def write_lines(text: str) -> None:
    """Text that is `printable` and `painted` already, all at once: Rich takes 0.2 ms for a line."""
    answer().file.write(text)
    answer().file.flush()


def printable(text: str) -> str:
    """Control characters, and those that reorder what stands around them, made visible."""
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    harmless = character in "\n\t" or character.isprintable()
    return character if harmless else character.encode("unicode_escape").decode()


def write(console: Console, data: bytes) -> None:
    """Bytes as they are: what a program says that the user has asked for by name."""
    console.file.flush()
    stream = cast("TextIO", console.file).buffer
    stream.write(data)
    stream.flush()


def for_people(path: Path) -> str:
    """A path as one would type it."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def failed(host: str, problem: Problem) -> NoReturn:
    """Says what failed on a host and what to do; exit code 1."""
    troubles([(host, problem)])
    raise typer.Exit(1)


def troubles(problems: Iterable[tuple[str, Problem]]) -> None:
    """Says why hosts failed, the last words and what to do, the same of several once."""
    for problem, hosts in gathered(problems).items():
        notice().print(f"✗ {', '.join(hosts)}  {problem.text}", style="red")
        explain(problem.detail, shown(problem.fix, hosts))


def explain(detail: str, fix: str) -> None:
    """The lines under a failure: its last words, and what to do, as it is `shown`."""
    for line in detail.splitlines():
        notice().print(f"      | {line}", style="dim")
    if fix:
        notice().print(f"      → {fix}", style="yellow")


def gathered(pairs: Iterable[tuple[str, T]]) -> dict[T, list[str]]:
    """What there is to say of hosts, the same of several once, with their names."""
    hosts: dict[T, list[str]] = {}
    for host, each in pairs:
        hosts.setdefault(each, []).append(host)
    return hosts
