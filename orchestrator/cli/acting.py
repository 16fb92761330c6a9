"""What `up` and `down` share: look, plan, then show the plan or carry it out."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.journal import Mask
from orchestrator.cli.options import Form, Pace
from orchestrator.cli.render import show_plan
from orchestrator.cli.screen import answer
from orchestrator.cli.script import script
from orchestrator.cli.session import INTERRUPTED, session
from orchestrator.model.cluster import Cluster
from orchestrator.model.secret import Secret
from orchestrator.plan.aftermath import LAST_WORDS, Wreck
from orchestrator.plan.facts import Facts
from orchestrator.plan.steps import Plan
from orchestrator.remote.report import Planned, Report, StepEnded

Planner = Callable[[Facts], Plan]


@dataclass(frozen=True, slots=True)
class Done:
    """A run that is over. `undone`: the cleaning up after its failures."""

    facts: Facts
    plan: Plan
    report: Report
    undone: Report
    interrupted: bool
    seconds: float
    log: Path | None
    mask: Mask

    @property
    def failed(self) -> frozenset[str]:
        """The hosts on which something failed, or was refused from the start."""
        steps = (result.step.host for result in (*self.report.failed, *self.left))
        return frozenset((*steps, *(refusal.host for refusal in self.plan.refusals)))

    @property
    def left(self) -> tuple[StepEnded, ...]:
        """The steps of the cleaning up that failed. A log that could not be read leaves nothing behind."""
        return tuple(result for result in self.undone.failed if result.step.title != LAST_WORDS)

    @property
    def last_words(self) -> dict[str, str]:
        """What failed containers logged last, by host."""
        read = (result for result in self.undone.results if result.step.title == LAST_WORDS)
        return {result.step.host: result.output.stdout for result in read if result.output}

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return INTERRUPTED
        return 1 if self.plan.refusals or not self.report.ok else 0


def preview(cluster: Cluster, planner: Planner, output: Form, pace: Pace, assumed: Facts | None) -> int:
    """Shows the plan for what the hosts have, or for what is `assumed` of them; the exit code."""
    if assumed is None:
        with session(cluster, "plan", pace, logged=False) as run:
            facts = run.observe()
        if run.cancel.is_set():
            return INTERRUPTED
    else:
        facts = assumed
    plan = planner(facts)
    if output is Form.SH:
        answer().print(script(cluster, plan), end="")
    else:
        show_plan(plan)
    return 1 if plan.refusals else 0


def carry_out(
    command: str,
    cluster: Cluster,
    planner: Planner,
    aftermath: Callable[[Wreck], Plan],
    pace: Pace,
    secrets: tuple[Secret, ...] = (),
) -> Done:
    """Does it. `aftermath` plans the cleaning up, also after Ctrl-C."""
    began = time.monotonic()
    with session(cluster, command, pace, logged=True, secrets=secrets) as run:
        facts = run.observe()
        plan = planner(facts)
        run.tell(Planned(plan))
        report = run.execute(plan)
        failed = frozenset(result.step.host for result in report.failed)
        interrupted = run.cancel.is_set()
        undone = run.clean_up(aftermath(Wreck(report.started, failed, interrupted)))
        seconds = time.monotonic() - began
    return Done(facts, plan, report, undone, interrupted, seconds, run.log, run.mask)
