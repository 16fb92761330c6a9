"""A plan as a value: phases of steps that can be shown, counted, printed as a script, and run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum, StrEnum, auto
from typing import ClassVar, Protocol

from orchestrator.frozen import dataclass
from orchestrator.plan.command import Command
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.progress import Progress
from orchestrator.plan.transfer.hop import Hop


@dataclass(frozen=True, slots=True)
class Ready:
    """What was waited for has come. `answer`: what it has said, for programs."""

    detail: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class NotYet:
    """Not so far; `why` is what to say if time runs out now. `soon`: it will be a moment, so ask again at once.

    `still`: for how many seconds nothing has moved, where that is known; the time of the wait counts from there.
    `doubt`: what it is if that does not change for a while; one look alone may fail because Docker starts again.
    """

    why: str
    soon: bool = False
    still: float | None = None
    doubt: Problem | None = None


WaitResult = Ready | NotYet | Problem
"""Of these a problem says why it cannot come any more."""


class Until(Protocol):
    """Judges a wait from its probe's answer and the last line of the phase's watch.

    Implementations are frozen dataclasses, so plans stay comparable and printable.
    """

    def __call__(self, exit_code: int, stdout: str, watched: str) -> WaitResult: ...


HowFar = Callable[[Sequence[str]], Progress | None]
"""What the lines that a command has printed so far tell of its progress; None as long as they tell nothing."""


class StepKind(Enum):
    """What a step is for, where anything depends on it. Its title is for people alone."""

    OTHER = auto()
    WAIT = auto()
    GET_IMAGE = auto()
    INSPECT_IMAGE = auto()
    GET_MODEL = auto()
    INSPECT_MODEL = auto()
    START_CONTAINER = auto()
    REMOVE_CONTAINER = auto()
    READ_LOG = auto()  # of a container that failed
    START_SERVER = auto()
    ASK_MODEL = auto()
    ASK_RAY = auto()
    VERIFY = auto()  # that nothing is left


@dataclass(frozen=True, slots=True)
class Run:
    """One command on one host. Times are seconds.

    `fix`: what to do should it fail for no known cause.
    `how_far`: for a command that takes long and tells of it; without it, it is heard when it has ended.
    `of`: the server of a model that it is for, if it is for one.
    """

    host: str
    title: str
    command: Command
    timeout: float = 60.0
    fix: str = ""
    how_far: HowFar | None = None
    kind: StepKind = StepKind.OTHER
    of: str = ""

    @property
    def starts(self) -> bool:
        """Whether it may leave something running there."""
        return self.kind in (StepKind.START_CONTAINER, StepKind.START_SERVER)

    @property
    def changes_nothing(self) -> bool:
        return self.kind in (StepKind.ASK_RAY, StepKind.VERIFY)


@dataclass(frozen=True, slots=True)
class Wait:
    """Asks `probe` again and again until `until` is satisfied, or gives up. Times are seconds.

    `fix`: what to do should it fail for no known cause. `of`: the server of a model that it is for, if it is for one;
    `of_several`: a probe for all that are waited for on that host at once, to which their names are added.
    """

    host: str
    title: str
    probe: Command
    until: Until
    within: float
    every: float = 1.0
    fix: str = ""
    of: str = ""
    of_several: Command | None = None
    kind: ClassVar[StepKind] = StepKind.WAIT


Step = Run | Wait


@dataclass(frozen=True, slots=True)
class Watch:
    """A long-lived command that prints a line for each change while its phase runs.

    `alone`: arguments that make it end by itself when all has come, for a script that nobody watches.
    """

    host: str
    title: str
    command: Command
    alone: tuple[str, ...]
    within: float


@dataclass(frozen=True, slots=True)
class Feed:
    """A command whose output all steps of its phase read, each on its standard input, as it comes.

    `size`: about how many bytes that will be, 0 if untold; `within`: seconds. `if_hollow`: what to do where next to
    nothing of it came, though the command succeeded; empty where that may be. `chain`: the host and those of the
    steps, to pass the bytes on among themselves; without it, or where there is no way between two, they come through
    this machine. `packer`: what packs them on their way, run here. `if_apart`: what to do, then, on the one that is not
    reached. `partial`: what goes by the chain leaves
    out what all have. `ending`: what is done once all has come.
    """

    host: str
    title: str
    command: Command
    size: int
    within: float
    if_hollow: str = ""
    chain: tuple[Hop, ...] = ()
    packer: tuple[str, ...] = ()
    if_apart: str = ""
    partial: bool = False
    ending: str = "Docker takes them in"


class OnFailure(StrEnum):
    """What a failed step means for what follows."""

    STOP = "stop"  # nothing later runs
    DROP_HOST = "drop"  # the host leaves, the others go on
    KEEP_GOING = "keep"  # later phases visit the host all the same


@dataclass(frozen=True, slots=True)
class Phase:
    """Steps of one host run in order, hosts side by side; the next phase starts when all have ended."""

    title: str
    steps: tuple[Step, ...]
    on_failure: OnFailure
    watch: Watch | None = None
    feed: Feed | None = None

    def lanes(self) -> Mapping[str, tuple[Step, ...]]:
        """The steps of each host."""
        lanes: dict[str, list[Step]] = {}
        for step in self.steps:
            lanes.setdefault(step.host, []).append(step)
        return {host: tuple(steps) for host, steps in lanes.items()}

    def subject(self, step: Step) -> str:
        """What a step is shown under: its host; where the phase is of several servers, its server, for the first host.

        Empty for the further hosts of a server, whose steps tell less.
        """
        if not step.of or len({each.of for each in self.steps}) <= 1:
            return step.host
        first = next((each.host for each in self.steps if each.of == step.of), step.host)
        return step.of if step.host == first else ""


NO_PHASE = Phase("", (), OnFailure.STOP)


@dataclass(frozen=True, slots=True)
class Change:
    """What will change on a host, and why."""

    host: str
    what: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one command will do. No phases: there is nothing to do. `warnings`: what goes on all the same."""

    title: str
    phases: tuple[Phase, ...] = ()
    changes: tuple[Change, ...] = ()
    refusals: tuple[HostProblem, ...] = ()
    warnings: tuple[HostProblem, ...] = ()

    def __iter__(self) -> Iterator[Step]:
        return (step for phase in self.phases for step in phase.steps)
