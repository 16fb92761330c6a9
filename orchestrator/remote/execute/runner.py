"""Executes a plan and reports what became of each step. The only place where a step becomes an effect."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import chain
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Protocol, Self

from orchestrator.frozen import dataclass
from orchestrator.plan.command import Command
from orchestrator.plan.problem import Problem, exited
from orchestrator.plan.progress import Progress
from orchestrator.plan.steps import NotYet, OnFailure, Phase, Plan, Ready, Run, Step, Wait, Watch
from orchestrator.remote.execute import events
from orchestrator.remote.execute.command import follow, run, with_timeout
from orchestrator.remote.execute.events import Happening, Report, Status, StepAdvanced, StepEnded, Tell
from orchestrator.remote.execute.image_stream import ImageStream
from orchestrator.remote.execute.looks import Looks
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output, PollableEvent, Transport

if TYPE_CHECKING:
    from orchestrator.remote.execute.image_chain import ImageChain

PROBE_SECONDS = 20.0
SOON = 0.2


class Hosts(Protocol):
    """Where steps are sent: a transport for each host's name.

    `at_work`: one of the places for hosts that are worked on at once; a command that is run takes one by itself.
    """

    @property
    def timeouts(self) -> Timeouts: ...

    def __getitem__(self, host: str) -> Transport: ...

    def at_work(self) -> AbstractContextManager[object]: ...


def execute(plan: Plan, hosts: Hosts, tell: Tell, cancel: Event, looks: Looks | None = None) -> Report:
    """Runs the phases in order, the hosts of a phase side by side. `looks`: shared with plans that run beside it."""
    results: list[StepEnded] = []
    out: set[str] = set()
    stopped, watched = False, ""
    for phase in plan.phases:
        if stopped or cancel.is_set():
            results += [_not_run(phase, step) for step in phase.steps]
            continue
        ended, line = _carry_out(phase, hosts, out, tell, cancel, looks or Looks((plan,)))
        results += ended
        watched = line or watched
        bad = {result.step.host for result in ended if result.status is not Status.OK}
        stopped = bool(bad and phase.on_failure is OnFailure.STOP)
        out |= bad if phase.on_failure is OnFailure.DROP_HOST else set()
    return Report(plan, tuple(results), watched)


def _carry_out(
    phase: Phase, hosts: Hosts, out: set[str], tell: Tell, cancel: Event, looks: Looks
) -> tuple[list[StepEnded], str]:
    """How the phase's steps ended, and the last line of its watch."""
    far = dict[int, Progress]()

    def hear(happening: Happening) -> None:
        if isinstance(happening, StepAdvanced):
            far[id(happening.step)] = happening.far
        tell(happening)

    tell(events.PhaseBegan(phase))
    going = {host: steps for host, steps in phase.lanes().items() if host not in out}
    with (
        _Watching(phase.watch, hosts) as watching,
        _stream(phase, hosts, frozenset(going), hear, cancel) as feeding,
        ThreadPoolExecutor(max(1, len(going))) as pool,
    ):
        lane = _Lane(phase, hosts, hear, cancel, watching, far, looks, feeding)
        ended = list(chain.from_iterable(pool.map(lane.run, going.values())))
        if phase.watch:
            ended = list(pool.map(lane.confirm, ended))
    left_out = [_not_run(phase, step) for step in phase.steps if step.host in out]
    return left_out + ended, watching.line


def _stream(
    phase: Phase, hosts: Hosts, going: frozenset[str], tell: Tell, cancel: Event
) -> "AbstractContextManager[ImageStream | ImageChain | None]":
    """What brings the phase's hosts their image, if they get one."""
    if phase.feed is None:
        return nullcontext()
    if phase.feed.chain:
        from orchestrator.remote.execute.image_chain import ImageChain  # noqa: PLC0415 - slow to import

        return ImageChain(phase.feed, hosts, going, tell, cancel)
    return ImageStream(phase.feed, hosts[phase.feed.host], going, tell, cancel, hosts.timeouts)


def _not_run(phase: Phase, step: Step) -> StepEnded:
    return StepEnded(phase.title, step, Status.NOT_RUN)


class _Watching:
    """A phase's watch while it runs: its last line, and why it ended if it has."""

    def __init__(self, watch: Watch | None, hosts: Hosts) -> None:
        self.line = ""
        self.ended: str | None = None
        self._watch, self._hosts = watch, hosts
        self._changed, self._over = Condition(), PollableEvent()
        self._thread = Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        if self._watch:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._watch:
            self._thread.join()

    def wait(self, seconds: float) -> None:
        """Until the watch has something new to tell, at most `seconds`."""
        with self._changed:
            line, ended = self.line, self.ended
            self._changed.wait_for(lambda: (self.line, self.ended) != (line, ended), timeout=seconds)

    def _follow(self) -> None:
        assert self._watch  # noqa: S101 - started only with one
        via = self._hosts[self._watch.host]
        got = via.stream(self._watch.command, self._tell, timeout=self._watch.within, cancel=self._over)
        ended = exited(got.exit_code, got.stderr).text if isinstance(got, Output) else got.message
        with self._changed:
            self.ended = f"nobody tells of Ray's nodes any more: {self._watch.host}: {ended}"
            self._changed.notify_all()

    def _tell(self, line: str) -> None:
        with self._changed:
            self.line = line
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class _Lane:
    """Runs one host's steps of a phase, in order, until one fails."""

    phase: Phase
    hosts: Hosts
    tell: Tell
    cancel: Event
    watching: _Watching
    far: Mapping[int, Progress]
    looks: Looks
    feeding: "ImageStream | ImageChain | None" = None

    def run(self, steps: tuple[Step, ...]) -> list[StepEnded]:
        results: list[StepEnded] = []
        for step in steps:
            failed = results and results[-1].status is not Status.OK
            results.append(_not_run(self.phase, step) if failed or self.cancel.is_set() else self._step(step))
        return results

    def confirm(self, result: StepEnded) -> StepEnded:
        """What was true of one host while others were waited for has to be true of all in the end."""
        if not isinstance(result.step, Wait) or result.status is not Status.OK or self.cancel.is_set():
            return result
        got = _wait(
            replace(result.step, within=self.hosts.timeouts.confirm), self.hosts[result.step.host], self
        )
        if isinstance(got, Output) or got.kind is FailureKind.CANCELLED:
            return result
        failure = replace(got, message=f"was so, but is no longer: {got.message}")
        failed = replace(result, status=Status.FAILED, output=None, failure=failure)
        self.tell(failed)
        return failed

    def _step(self, step: Step) -> StepEnded:
        self.tell(events.StepBegan(step))
        began = time.monotonic()
        got = self._do(step, self.hosts[step.host])
        status, output = (Status.FAILED, None) if isinstance(got, Failure) else (Status.OK, got)
        failure = got if isinstance(got, Failure) else None
        seconds, far = time.monotonic() - began, self.far.get(id(step))
        ended = StepEnded(self.phase.title, step, status, seconds, output, failure, far)
        self.tell(ended)
        return ended

    def _do(self, step: Step, via: Transport) -> Output | Failure:
        match step:
            case Run() if self.feeding:
                return self.feeding.run(step, via)
            case Run() if step.how_far:
                with self.hosts.at_work():
                    return follow(step, step.how_far, via, self.tell, self.cancel)
            case Run():
                return run(step, via, self.cancel)
            case Wait():
                try:
                    return _wait(step, via, self)
                finally:
                    self.looks.leave(step)


def _wait(step: Wait, via: Transport, lane: _Lane) -> Output | Failure:
    deadline, told, again, doubtful = time.monotonic() + step.within, "", 0.0, 0.0

    def look(probe: Command) -> Output | Failure:
        got = via.run(with_timeout(probe, PROBE_SECONDS), timeout=PROBE_SECONDS + 10, cancel=lane.cancel)
        # It ends there by itself, so who does not hear of it hears nothing of the host.
        if isinstance(got, Failure) and got.kind is FailureKind.TIMEOUT:
            return replace(got, kind=FailureKind.UNREACHABLE)
        return got

    while True:
        got = lane.looks.ask(step, look)
        if isinstance(got, Failure):
            return got
        ended = _judge(step, got, lane, deadline)
        if not isinstance(ended, NotYet):
            return ended
        doubtful = (doubtful or time.monotonic()) if ended.doubt else 0.0
        if ended.doubt and time.monotonic() - doubtful >= lane.hosts.timeouts.doubt:
            return _hopeless(ended.doubt, got)
        if ended.still is not None:
            deadline = time.monotonic() - ended.still + step.within
        if ended.why != told or time.monotonic() > again:
            lane.tell(events.StepWaits(step, ended.why, still=ended.why == told))
            told, again = ended.why, time.monotonic() + lane.hosts.timeouts.still_waiting


def _judge(step: Wait, got: Output, lane: _Lane, deadline: float) -> Output | Failure | NotYet:
    """Judges the probe's answer anew each time the watch tells something, until it is time to probe again."""
    asked = time.monotonic()
    while True:
        verdict = step.until(got.exit_code, got.stdout, lane.watching.line)
        match verdict:
            case Ready(detail, answer):
                return Output(0, detail, answer=answer)
            case Problem():
                return _hopeless(verdict, got)
            case NotYet(why, soon, still, _):
                until = deadline if still is None else asked - still + step.within
                if over := _over(step, why, lane, until):
                    return over
        left = asked + (SOON if soon else step.every) - time.monotonic()
        if left <= 0:
            return verdict
        lane.watching.wait(min(left, 0.5))


def _hopeless(problem: Problem, got: Output) -> Failure:
    silent = got.exit_code and not got.stdout.strip()
    words = got.stderr.strip() if silent else ""  # Docker's, which knows why
    return Failure.of(replace(problem, detail=problem.detail or words))


def _over(step: Wait, why: str, lane: _Lane, deadline: float) -> Failure | None:
    if lane.cancel.is_set():
        return Failure(FailureKind.CANCELLED, "interrupted")
    if lane.watching.ended:
        return Failure(FailureKind.UNREACHABLE, lane.watching.ended)
    if time.monotonic() >= deadline:
        return Failure(FailureKind.TIMEOUT, f"{why}, after {step.within:g} s")
    return None
