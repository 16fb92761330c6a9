"""What `check` gathers beyond the first look."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.plan.inspection import Inspection
from orchestrator.plan.trial import Link, NoTrial, Trial


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that could not be learned of a host, and why."""

    host: str
    what: str
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """By host: how it was logged in to, its second look, how far its clock is from ours, its trial.

    `clocks` are the least and the most seconds that a host's clock may be ahead of ours.
    """

    logins: Mapping[str, str] = field(default_factory=dict)
    inspections: Mapping[str, Inspection] = field(default_factory=dict)
    clocks: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    trials: Mapping[str, Trial | NoTrial] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    gaps: tuple[Gap, ...] = ()
