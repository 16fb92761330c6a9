"""What people see while a run goes on: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import RLock
from typing import Protocol

from orchestrator.cli.output.console import notice
from orchestrator.cli.output.how_far import in_words
from orchestrator.cli.run.run_log import Mask, changes, command_of, note, refusals, warnings
from orchestrator.plan.steps import NO_PHASE
from orchestrator.remote.execute import events
from orchestrator.remote.execute.events import Happening

PACE = 10.0
"""Seconds between two lines of one host's progress where lines stay."""


Aside = Callable[[], AbstractContextManager[object]]


class Display(Protocol):
    """A listener that shows what happens. `aside`: while something else is printed."""

    aside: Aside

    def __call__(self, happening: Happening) -> None: ...


@contextmanager
def display(hosts: tuple[str, ...], verbose: int, mask: Mask) -> Iterator[Display]:
    """A listener that shows progress on standard error."""
    lines = _Lines(verbose, mask)
    if verbose or not notice().is_terminal:
        yield lines
        return
    from orchestrator.cli.output.live_table import live_table  # what draws it takes time to import

    with live_table(hosts, mask) as table:
        yield table


class _Lines:
    """One line for each thing that ended; with -v its command, with -vv its output."""

    def __init__(self, verbose: int, mask: Mask) -> None:
        self._verbose, self._mask = verbose, mask
        self._began, self._phase = time.monotonic(), NO_PHASE
        self._silent_until, self._said_far = dict[str, float](), dict[str, str]()
        self._lock = RLock()
        self.aside: Aside = lambda: self._lock

    def __call__(self, happening: Happening) -> None:
        with self._lock:
            self._take(happening)

    def _take(self, happening: Happening) -> None:  # noqa: C901 - one for each kind
        match happening:
            case events.HostSeen(host, trouble) if trouble and self._verbose:
                self._say(f"{host}: {trouble}", "red")
            case events.Planned(plan):
                for change in changes(plan):
                    self._say(change, "")
                for warning in warnings(plan):
                    self._say(warning, "yellow")
                for refusal in refusals(plan):
                    self._say(refusal, "red")
            case events.PhaseBegan(phase):
                self._phase = phase
                self._say(phase.title, "bold")
            case events.StepBegan(step) if self._verbose:
                self._say(f"{step.host}: $ {command_of(step)}", "dim")
            case events.StepWaits() | events.StepAdvanced():
                self._far(happening)
            case events.Noted():
                self._say(note(happening), "yellow")
            case events.StepEnded():
                self._ended(happening)

    def _far(self, happening: events.StepWaits | events.StepAdvanced) -> None:
        """What tells how far it is may do so often, and what is soon over need not; none says the same twice."""
        step, now = happening.step, time.monotonic()
        subject = self._phase.subject(step)
        why = happening.why if isinstance(happening, events.StepWaits) else in_words(happening.far)
        due = subject and now >= self._silent_until.setdefault(subject, now + PACE)
        if due and self._said_far.get(subject) != why:
            self._silent_until[subject], self._said_far[subject] = now + PACE, why
            self._say(f"{subject}: {step.title}: {why}", "")

    def _ended(self, ended: events.StepEnded) -> None:
        failure = f": {ended.failure.message}" if ended.failure else ""
        style = "red" if ended.failure else ""
        subject = self._phase.subject(ended.step) or f"{ended.step.of} on {ended.step.host}"
        self._say(f"{subject}: {ended.step.title}: {ended.status}{failure}", style)
        if self._verbose > 1 and ended.output:
            for line in self._mask(ended.output.stdout + ended.output.stderr).splitlines():
                self._say(f"{ended.step.host}: | {line}", "dim")

    def _say(self, text: str, style: str) -> None:
        seconds = time.monotonic() - self._began
        notice().print(f"{seconds:6.1f} s  {self._mask(text)}", style=style)
