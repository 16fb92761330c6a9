"""`-o jsonl`: what happens as one JSON object a line on standard output, and how it ended as the last."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Literal

from orchestrator.cli.exit_codes import LOCKED
from orchestrator.cli.output.console import answer
from orchestrator.cli.output.how_far import in_words
from orchestrator.cli.output.typed import shown
from orchestrator.cli.run.run_log import Mask
from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.progress import Progress
from orchestrator.plan.status.health import ClusterHealth, Verdict
from orchestrator.plan.steps import Plan, Step
from orchestrator.remote.execute import events
from orchestrator.remote.execute.events import Happening

PACE = 1.0
"""Seconds between two events of one host that only tell how far a command is."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What every line has. `time`: UTC, as RFC 3339 writes it."""

    version: Literal[2] = 2
    time: str = field(default_factory=_now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Line):
    """These hosts are asked what is there."""

    event: Literal["look"] = "look"
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host(Line):
    """A host has answered; or has failed to, and `trouble` says how."""

    event: Literal["host"] = "host"
    host: str
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Something about a host, and what to do about it where that is known."""

    host: str
    what: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned(Line):
    """What will be done. `refusals`: hosts that are left out, and why; `phases`: by their titles, in order."""

    event: Literal["plan"] = "plan"
    title: str
    phases: tuple[str, ...]
    changes: tuple[Told, ...]
    refusals: tuple[Told, ...]
    warnings: tuple[Told, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase(Line):
    """A phase begins: steps of one host in order, hosts side by side."""

    event: Literal["phase"] = "phase"
    phase: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBegan(Line):
    """A step begins on a host. `server`: of the model that it is for, as `serve status` names it, if it is for one."""

    event: Literal["step-began"] = "step-began"
    host: str
    step: str
    server: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress(Line):
    """How far a step is, or what it waits for. At most one a second of each host where a command tells it.

    `done` of `total` in `unit`, `rate` a second, `seconds_left`: null where it has no size, or nobody knows.
    """

    event: Literal["step-progress"] = "step-progress"
    host: str
    step: str
    progress: str
    server: str = ""
    done: int | None = None
    total: int | None = None
    unit: Literal["bytes", "layers"] | None = None
    rate: int | None = None
    seconds_left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Line):
    """Something about a host that stops nothing, and what to do about it."""

    event: Literal["note"] = "note"
    host: str
    what: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded(Line):
    """A step has ended, after `seconds`. `failure`, `detail`: what failed and the last words; empty where it is ok."""

    event: Literal["step-ended"] = "step-ended"
    host: str
    phase: str
    step: str
    status: Literal["ok", "failed", "not run"]
    seconds: float
    failure: str = ""
    detail: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """One failure, the same on all of its hosts: what, the last words, and what to do where that is known."""

    hosts: tuple[str, ...]
    what: str
    detail: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A host that is in the cluster now; `gpus`: those that Ray lists, null where that is not known."""

    host: str
    ip: str
    gpus: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeEnded(Line):
    """Of several models one answers now, at `url`, without `/v1`; or it does not, and `failures` say why.

    `message`: the same in a sentence; `untried`: why nobody knows whether the model works, though its server answers.
    The result of all of them comes last.
    """

    event: Literal["served"] = "served"
    server: str
    model: str
    answers: bool
    message: str
    url: str = ""
    untried: str = ""
    seconds: float = 0.0
    failures: tuple[Failed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Line):
    """The last line. `message`: the end in a sentence; `log`: the full log's path, empty where none is kept.

    `members`: who is in the cluster after `up` or `restart`; empty where that failed, and after other commands.
    """

    event: Literal["result"] = "result"
    command: str
    cluster: str
    exit_code: int
    verdict: Literal["done", "planned", "failed", "interrupted", "locked", "refused"]
    message: str
    seconds: float = 0.0
    failures: tuple[Failed, ...] = ()
    members: tuple[Member, ...] = ()
    log: str = ""


Event = Look | Host | Planned | Phase | StepBegan | StepProgress | Note | StepEnded | ServeEnded | Result
"""Every line that `-o jsonl` prints, told apart by `event`."""


def emit(event: Event, mask: Mask) -> None:
    """Prints the line."""
    answer().print(json.dumps(_masked(asdict(event), mask)), soft_wrap=True)


def failed(hosts: Sequence[str], problem: Problem) -> Failed:
    """A problem of these hosts, as a line has it."""
    fix = shown(problem.fix, hosts)
    return Failed(hosts=tuple(hosts), what=problem.text, detail=problem.detail, fix=fix)


def show_planned(cluster: Cluster, plan: Plan) -> None:
    """Prints a plan that is not carried out."""
    emit(_planned(plan), Mask())
    failures = tuple(failed((each.host,), each.problem) for each in plan.refusals)
    message, code = f"{plan.title}: nothing was changed", 1 if failures else 0
    planned = Result(
        command="plan",
        cluster=cluster.name,
        exit_code=code,
        verdict="planned",
        message=message,
        failures=failures,
    )
    emit(planned, Mask())


def as_events(command: str, cluster: Cluster, mask: Mask) -> Callable[[Happening], None]:
    """Makes lines of all that happens."""
    silent_until = dict[str, float]()
    lines_in_order_of_time = Lock()  # hosts are heard of on threads of their own

    def hear(happening: Happening) -> None:
        with lines_in_order_of_time:
            if _is_chatter(happening, silent_until):
                return
            if event := _event(command, cluster, happening):
                emit(event, mask)

    return hear


def _is_chatter(happening: Happening, silent_until: dict[str, float]) -> bool:
    match happening:
        case events.StepWaits(still=True):
            return True
        case events.StepAdvanced(step):
            now = time.monotonic()
            if now < silent_until.get(step.host, 0.0):
                return True
            silent_until[step.host] = now + PACE
    return False


def _event(command: str, cluster: Cluster, happening: Happening) -> Event:  # noqa: C901, PLR0911 - one for each kind
    match happening:
        case events.LookBegan(hosts):
            return Look(hosts=hosts)
        case events.HostSeen(host, trouble):
            return Host(host=host, trouble=trouble)
        case events.LockHeld(who):
            return Result(
                command=command, cluster=cluster.name, exit_code=LOCKED, verdict="locked", message=who
            )
        case events.Planned(plan):
            return _planned(plan)
        case events.PhaseBegan(phase):
            return Phase(phase=phase.title, hosts=tuple(phase.lanes()))
        case events.StepBegan(step):
            return StepBegan(host=step.host, step=step.title, server=step.of)
        case events.StepWaits(step, why):
            return StepProgress(host=step.host, step=step.title, progress=why, server=step.of)
        case events.StepAdvanced(step, far):
            return _advanced(step, far)
        case events.Noted(host, what, fix, at):
            return Note(host=host, what=what, fix=shown(fix, [at or host]))
        case events.StepEnded():
            return _ended(happening)


def _advanced(step: Step, far: Progress) -> StepProgress:
    return StepProgress(
        host=step.host,
        step=step.title,
        progress=in_words(far),
        done=far.done,
        total=far.total or None,
        unit=far.unit.value,
        rate=round(far.rate) or None,
        seconds_left=None if far.left is None else round(far.left),
    )


def _planned(plan: Plan) -> Planned:
    return Planned(
        title=plan.title,
        phases=tuple(phase.title for phase in plan.phases),
        changes=tuple(Told(host=change.host, what=change.what) for change in plan.changes),
        refusals=_remarks(plan.refusals),
        warnings=_remarks(plan.warnings),
    )


def _remarks(remarks: Iterable[HostProblem]) -> tuple[Told, ...]:
    return tuple(
        Told(host=each.host, what=each.problem.text, fix=shown(each.problem.fix, [each.host]))
        for each in remarks
    )


def _ended(ended: events.StepEnded) -> StepEnded:
    failure = ended.failure
    return StepEnded(
        host=ended.step.host,
        phase=ended.phase,
        step=ended.step.title,
        status=ended.status.value,
        seconds=round(ended.seconds, 3),
        failure=failure.message if failure else "",
        detail=failure.detail if failure else "",
        server=ended.step.of,
    )


def _masked(value: Any, mask: Mask) -> Any:
    """Before it is written as JSON, which may spell a secret in another way."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {key: _masked(each, mask) for key, each in value.items()}
    return [_masked(each, mask) for each in value] if isinstance(value, tuple | list) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Line):
    """The first line: what `status -o json` would print, once every host has been seen or given up."""

    event: Literal["state"] = "state"
    state: ClusterHealth


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened(Line):
    """Something has happened to a host, or, where `host` is empty, to the cluster; `verdict`: its verdict since."""

    event: Literal["happened"] = "happened"
    host: str
    text: str
    verdict: Verdict


Watched = State | Happened
