"""What a command has outputs on several hosts: the same once, under the names of those who outputs it."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console

from orchestrator.cli.output.console import answer, gathered, notice, printable, troubles, write
from orchestrator.cli.output.typed import line
from orchestrator.model.cluster import Cluster
from orchestrator.plan.problem import Problem
from orchestrator.remote.execute.adhoc import Result

if TYPE_CHECKING:
    from orchestrator.cli.output.json import ExecResult

CANNOT_RUN = {126, 127}
"""A shell's codes, and Docker's, for a program that cannot be run or is not there."""


def show(results: tuple[Result, ...]) -> None:
    """Standard output on ours, then standard error on ours, both under headers as `tail` prints them."""
    ran = (each for each in results if each.stdout or not each.failure)
    _show_groups(answer(), ((each.host, (_remark(each), each.stdout)) for each in ran))
    _show_groups(
        notice(), ((each.host, (": standard error", each.stderr)) for each in results if each.stderr)
    )


def show_troubles(results: tuple[Result, ...], words: list[str]) -> None:
    """What failed, the same of several hosts once, and what to do. A host alone tells its exit code by ours."""
    troubles(_troubles(results))
    one_word = len(words) == 1 and len(words[0].split()) > 1  # all of a command line: the name of no program
    if one_word and any(each.exit_code in CANNOT_RUN for each in results):
        mended = line("exec", "--", "bash", "-c", *words)
        notice().print(f"→ this ran without a shell. With one: {mended}", style="yellow")


def show_json(cluster: Cluster, results: tuple[Result, ...]) -> None:
    """Prints the results as one JSON object."""
    from orchestrator.cli.output import json

    json.show(json.ExecAnswer(cluster.name, tuple(map(_told, results))))


def _remark(result: Result) -> str:
    if result.failure:
        return ": incomplete"
    return f": exit code {result.exit_code}" if result.exit_code else ""


def _show_groups(console: Console, outputs: Iterable[tuple[str, tuple[str, bytes]]]) -> None:
    for (remark, text), hosts in gathered(outputs).items():
        header = f"==> {', '.join(hosts)}{remark} <=="
        if console.is_terminal:  # Rich takes 0.2 ms for a line
            console.print(header, style="bold")
            write(console, printable(_whole_lines(text).decode(errors="replace")).encode())
        else:
            write(console, f"{printable(header)}\n".encode() + _whole_lines(text))


def _whole_lines(text: bytes) -> bytes:
    return text if text.endswith(b"\n") or not text else text + b"\n"


def _troubles(results: tuple[Result, ...]) -> Iterator[tuple[str, Problem]]:
    for result in results:
        if failure := result.failure:
            yield result.host, failure.problem
        elif result.exit_code and len(results) > 1:
            yield result.host, Problem(f"exit code {result.exit_code}")


def _told(result: Result) -> "ExecResult":
    from orchestrator.cli.output.json import ExecResult

    return ExecResult(
        result.host,
        result.exit_code,
        result.stdout.decode(errors="replace"),
        result.stderr.decode(errors="replace"),
        result.failure.message if result.failure else None,
    )
