"""What a check has found on a host."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: a failure stops `up` or vLLM, a warning makes them slower or less safe."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about one host: what it is about, what was found, and a line that mends it."""

    host: str
    topic: str
    level: Level
    text: str
    fix: str = ""
    detail: str = ""


Findings = Iterator[Finding]


def ok(host: str, topic: str, text: str, fix: str = "") -> Finding:
    return Finding(host, topic, Level.OK, text, fix)


def warning(host: str, topic: str, text: str, fix: str = "") -> Finding:
    return Finding(host, topic, Level.WARNING, text, fix)


def failure(host: str, topic: str, text: str, fix: str = "", detail: str = "") -> Finding:
    return Finding(host, topic, Level.FAILURE, text, fix, detail)


def quoting(host: str, topic: str, before: str, words: str, fix: str, detail: str = "") -> Finding:
    """A failure that is told in a program's own words: their first line, and where there are more, all below."""
    first, *more = words.strip().splitlines() or ["it says nothing"]
    return failure(host, topic, before + first, fix, detail or (words.strip() if more else ""))
