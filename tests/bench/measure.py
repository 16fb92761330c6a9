"""Measuring commands side by side: in turn, warmed, several times, on one machine in one run."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")
WORDS = 2000  # of a failed command's output that are shown


class BenchError(Exception):
    """A command that was to be measured did not do what it is measured for."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds by the clock, seconds of CPU of the command and all that it started, bytes at its peak."""

    wall: float
    cpu: float
    peak: int


Way = Callable[[], Run]
"""One way to do it. Raises BenchError unless it did."""


def timed(
    argv: Sequence[str | Path], env: Mapping[str, str] | None = None, *, good: tuple[int, ...] = (0,)
) -> tuple[Run, str]:
    """Run a command to its end: what it cost, and what it printed. Other exit codes than `good` are a BenchError."""
    with tempfile.TemporaryFile("w+") as heard:
        begun = perf_counter()
        process = subprocess.Popen(
            [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=heard, stderr=heard, env=env
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        heard.seek(0)
        said = heard.read()
    if process.returncode not in good:
        raise BenchError(f"{' '.join(map(str, argv))[:WORDS]}: exit {process.returncode}\n{said[-WORDS:]}")
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024), said


def side_by_side(ways: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, tuple[T, ...]]:
    """What each way tells, by name: one to warm up, which is forgotten, and then all of them in turn, `rounds` times.

    The order turns with each round, so that no way always has the same one before it.
    """
    names = list(ways)
    for name in names:
        ways[name]()
    runs: dict[str, list[T]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            runs[name].append(ways[name]())
    return {name: tuple(those) for name, those in runs.items()}


def wall(runs: Sequence[Run]) -> float:
    """The median by the clock, in seconds."""
    return median(run.wall for run in runs)


def cpu(runs: Sequence[Run]) -> float:
    """The median of CPU, in seconds."""
    return median(run.cpu for run in runs)


def peak(runs: Sequence[Run]) -> int:
    """The most memory that any run had, in bytes."""
    return max(run.peak for run in runs)
