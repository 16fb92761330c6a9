"""What happens while hosts are looked at and plans run, as values for listeners to show or write down."""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from orchestrator.frozen import dataclass
from orchestrator.plan.progress import Progress
from orchestrator.plan.steps import Phase, Plan, Run, Step
from orchestrator.remote.transport import Failure, Output


class Status(StrEnum):
    """How a step ended."""

    OK = "ok"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class LookBegan:
    """These hosts are asked what is there. `title` and `what`: as people are shown it."""

    hosts: tuple[str, ...]
    title: str = "Look at the hosts"
    what: str = "inspecting"


@dataclass(frozen=True, slots=True)
class HostSeen:
    """A host has answered, or has failed to: then `trouble` says how. `what`: as people are shown an answer."""

    host: str
    trouble: str = ""
    what: str = "inspected"


@dataclass(frozen=True, slots=True)
class LockHeld:
    """Another run has the cluster's lock, so nothing will be done. `who`: in a sentence."""

    who: str


@dataclass(frozen=True, slots=True)
class Planned:
    """What will be done is known now."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class PhaseBegan:
    """A phase starts now."""

    phase: Phase


@dataclass(frozen=True, slots=True)
class StepBegan:
    """A step starts now."""

    step: Step


@dataclass(frozen=True, slots=True)
class StepWaits:
    """A step is not over, and what it waits for has changed. `still`: it is what was told before."""

    step: Step
    why: str
    still: bool = False


@dataclass(frozen=True, slots=True)
class StepAdvanced:
    """A step is not over, and so far by now."""

    step: Step
    far: Progress


@dataclass(frozen=True, slots=True)
class Noted:
    """Something about a host that people should know, though all goes on. `fix`: what to do, there or `at` another."""

    host: str
    what: str
    fix: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step and how it ended, after `seconds`. `far`: what was told last of its progress."""

    phase: str
    step: Step
    status: Status
    seconds: float = 0.0
    output: Output | None = None
    failure: Failure | None = None
    far: Progress | None = None


Happening = (
    LookBegan
    | HostSeen
    | LockHeld
    | Planned
    | PhaseBegan
    | StepBegan
    | StepWaits
    | StepAdvanced
    | Noted
    | StepEnded
)
Tell = Callable[[Happening], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a plan: a result for each of its steps, and the last line its watch told."""

    plan: Plan
    results: tuple[StepEnded, ...]
    watched: str = ""

    def after(self, earlier: "Report") -> "Report":
        """The same, with what was done before it."""
        return replace(self, results=(*earlier.results, *self.results))

    @property
    def failed(self) -> tuple[StepEnded, ...]:
        return tuple(each for each in self.results if each.status is Status.FAILED)

    @property
    def ok(self) -> bool:
        return all(result.status is Status.OK for result in self.results)

    @property
    def started(self) -> frozenset[str]:
        """The hosts on which a container may have been started."""
        tried = (result.step for result in self.results if result.status is not Status.NOT_RUN)
        return frozenset(step.host for step in tried if isinstance(step, Run) and step.starts)
