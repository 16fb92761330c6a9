"""What a check has found on a host."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import StrEnum

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.inspection import Inspection
from orchestrator.plan.facts.probe import Link, Trial
from orchestrator.plan.problem import HostProblem, Problem, quoted

GIB = 1 << 30
MEGA, GIGA, MILLI = 1e6, 1e9, 1e-3


def gib(size: float) -> str:
    """A size in the unit that people give memory and disks in."""
    return f"{size / GIB:.1f} GiB"


def bandwidth(bits: float) -> str:
    """Bits a second in the unit of network cards."""
    return f"{bits / GIGA:.1f} Gb/s" if bits >= GIGA else f"{bits / MEGA:.0f} Mb/s"


def delay(seconds: float) -> str:
    """A short time."""
    return f"{seconds * 1000:.1f} ms" if seconds >= MILLI else f"{seconds * 1000000:.0f} µs"


def release(version: str) -> tuple[int, ...]:
    """The first two numbers of a version; fewer where it has none."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


@dataclass(frozen=True, slots=True)
class Evidence:
    """By host: how it was logged in to, its second look, how far its clock is from ours, its trial; what is missing.

    `login_warnings`: what is not safe about a login.
    `prepared`: the environment behind the image's own entrypoint, as `probe.parse_variables` has it, if it was tried.
    `clocks` are the least and the most seconds that a host's clock may be ahead of ours.
    """

    logins: Mapping[str, str] = field(default_factory=dict)
    login_warnings: Mapping[str, str] = field(default_factory=dict)
    inspections: Mapping[str, Inspection] = field(default_factory=dict)
    clocks: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    trials: Mapping[str, Trial | Problem] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    prepared: frozenset[tuple[str, int]] | None = None
    gaps: tuple[HostProblem, ...] = ()


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

    @property
    def problem(self) -> Problem:
        return Problem(self.text, self.fix, self.detail)


Findings = Iterator[Finding]


def ok(host: str, topic: str, text: str, fix: str = "") -> Finding:
    return Finding(host, topic, Level.OK, text, fix)


def warning(host: str, topic: str, text: str, fix: str = "") -> Finding:
    return Finding(host, topic, Level.WARNING, text, fix)


def failure(host: str, topic: str, text: str, fix: str = "", detail: str = "") -> Finding:
    return Finding(host, topic, Level.FAILURE, text, fix, detail)


def quoting(host: str, topic: str, before: str, words: str, fix: str, detail: str = "") -> Finding:
    """A failure that is told in a program's own words."""
    problem = quoted(before, words, fix, detail)
    return failure(host, topic, problem.text, problem.fix, problem.detail)
