"""Why vLLM ended: the root cause in a log whose last line is seldom it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """What went wrong, the lines of the log that say so, and what to do."""

    why: str
    said: tuple[str, ...]
    fix: str


def root_cause(lines: Sequence[str]) -> Cause | None:
    """The best explanation that the lines have; None where none is known."""
    for pattern, why, fix in KNOWN:
        for line in lines:
            if re.search(pattern, line):
                return Cause(why, (_bare(line),), fix)
    return None


def _bare(line: str) -> str:
    """Without colours, and without who says it."""
    return re.sub(
        r"\x1b\[[0-9;]*m", "", re.sub(r"^(\x1b\[[0-9;]*m)?\([^)]*\)(\x1b\[[0-9;]*m)? ?", "", line)
    ).strip()


KNOWN = (
    (
        r"CUDA out of memory|torch\.OutOfMemoryError",
        "a GPU has not enough memory",
        "spread it over more GPUs, …",
    ),
)
