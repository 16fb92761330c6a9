"""What all commands share that change something: look, plan, then show the plan or carry it out."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from orchestrator.cli.exit_codes import INTERRUPTED
from orchestrator.cli.options import PlanForm, RunOptions
from orchestrator.cli.output.console import answer
from orchestrator.cli.output.plan_text import show_plan
from orchestrator.cli.run.session import Session, session
from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster
from orchestrator.model.secret import Secret
from orchestrator.plan.actions.down import heard_meanwhile, left_behind
from orchestrator.plan.actions.prune import plan_prune
from orchestrator.plan.actions.rollback import FailedRun
from orchestrator.plan.facts.containers import unknown_hosts
from orchestrator.plan.facts.host import Depth, Facts
from orchestrator.plan.problem import HostProblem
from orchestrator.plan.steps import Plan, StepKind
from orchestrator.remote.execute.events import Planned, Report, StepEnded
from orchestrator.remote.transport import FailureKind

Planner = Callable[[Facts], Plan]
Look = Callable[[Session, Facts], tuple[Facts, Report]]
"""What is on the hosts, given what is known of some; and what was done before."""

NO_PLAN = Plan("nothing")
NOTHING = Report(NO_PLAN, ())


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that is over. `undone`: the cleaning up after its failures; `lost`: why it had to stop."""

    run: Session
    facts: Facts
    plan: Plan
    report: Report
    undone: Report
    interrupted: bool
    lost: str
    seconds: float

    @property
    def failed(self) -> frozenset[str]:
        """The hosts on which something failed, was refused from the start, or was left behind."""
        steps = (result.step.host for result in (*self.report.failed, *self.left))
        return frozenset((*steps, *(refusal.host for refusal in self.plan.refusals)))

    @property
    def left(self) -> tuple[StepEnded, ...]:
        """The steps of the cleaning up that failed. A log that could not be read leaves nothing behind."""
        return tuple(result for result in self.undone.failed if result.step.kind is not StepKind.READ_LOG)

    @property
    def removed(self) -> frozenset[str]:
        """The hosts on which the cleaning up was to remove what the run had started."""
        return frozenset(step.host for step in self.undone.plan if step.kind is StepKind.REMOVE_CONTAINER)

    @property
    def last_words(self) -> dict[str, str]:
        """What failed containers logged last, by host."""
        read = (result for result in self.undone.results if result.step.kind is StepKind.READ_LOG)
        return {result.step.host: result.output.stdout for result in read if result.output}

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return INTERRUPTED
        return 1 if self.lost or self.plan.refusals or not self.report.ok else 0


def preview(
    cluster: Cluster,
    planner: Planner,
    output: PlanForm,
    pace: RunOptions,
    assumed: Facts | None,
    depth: Depth,
) -> int:
    """Shows the plan for what the hosts have, or for what is `assumed` of them; the exit code."""
    plan = plan_for_now(cluster, planner, pace, depth) if assumed is None else planner(assumed)
    if output == "sh":
        from orchestrator.cli.output.plan_script import script

        answer().print(script(cluster, plan), end="", soft_wrap=True)
    elif output == "jsonl":
        from orchestrator.cli.output.jsonl import show_planned

        show_planned(cluster, plan)
    else:
        show_plan(plan)
    return 1 if plan.refusals else 0


def plan_for_now(cluster: Cluster, planner: Planner, pace: RunOptions, depth: Depth) -> Plan:
    """The plan for what the hosts have now; nothing is changed, and no lock held."""
    return planner(facts_for_now(cluster, pace, depth))


def facts_for_now(cluster: Cluster, pace: RunOptions, depth: Depth) -> Facts:
    """What the hosts have now."""
    with session(cluster, "plan", pace, logged=False) as run:
        facts = run.observe_all(depth)
    run.stop_if_interrupted()
    return facts


def execute(
    command: str,
    cluster: Cluster,
    look: Look,
    planner: Planner,
    pace: RunOptions,
    secrets: tuple[Secret, ...] = (),
    *,
    lock: bool = True,
    aftermath: Callable[[FailedRun], Plan] = lambda _: NO_PLAN,
) -> RunResult:
    """Looks, plans and does it, with the cluster's lock.

    `aftermath` plans the cleaning up, also after Ctrl-C. A run that has lost the lock cleans up nothing: what is
    there may be another's by now.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        run = stack.enter_context(session(cluster, command, pace, logged=True, secrets=secrets))
        known = stack.enter_context(run.locked()) if lock else {}
        facts, done_before = look(run, known)
        plan = planner(facts)
        run.tell(Planned(plan))
        report = run.execute(plan).after(done_before)
        plan = replace(plan, refusals=(*plan.refusals, *_left_behind(run, facts, report)))
        lost = run.why_lost(report) if lock else ""
        interrupted = run.cancel.is_set() and not lost
        failed = (result.step.host for result in report.failed if not _is_cut_short(result))
        wreck = FailedRun(
            report.started, frozenset((*failed, *(each.host for each in plan.refusals))), interrupted
        )
        undone = run.clean_up(NO_PLAN if lost else aftermath(wreck))
        seconds = time.monotonic() - began
    return RunResult(run, facts, plan, report, undone, interrupted, lost, seconds)


def _is_cut_short(result: StepEnded) -> bool:
    """Whether it was ended by the run's own end: nothing failed, so no log tells why."""
    return result.failure is not None and result.failure.kind is FailureKind.CANCELLED


def looking(depth: Depth, *, whole: bool = False, prune: bool = False) -> Look:
    """Observes the inventory's hosts. `whole`: also those that Ray alone lists, where it is asked.

    `prune`: once what the inventory does not have is gone.
    """

    def look(run: Session, known: Facts) -> tuple[Facts, Report]:
        if known or not whole:
            return run.observe_but(known, depth), NOTHING
        facts = run.observe_all(depth)
        nodes = (*run.cluster.nodes, *unknown_hosts(run.cluster, facts))
        plan = plan_prune(run.cluster, nodes, facts) if prune else NO_PLAN
        if not plan.phases:
            return facts, NOTHING
        run.tell(Planned(plan))
        pruned = run.execute(plan)
        return run.observe_all(depth), pruned

    return look


def _left_behind(run: Session, facts: Facts, report: Report) -> tuple[HostProblem, ...]:
    """What is on hosts that the inventory does not have, where Ray was asked for them while the plan ran."""
    asked = next((each.output for each in report.results if each.step.kind is StepKind.ASK_RAY), None)
    if asked is None:
        return ()
    facts = heard_meanwhile(run.cluster, facts, asked.stdout)
    left = tuple(left_behind(run.cluster, facts | run.observe_outside(facts, Depth.CONTAINERS)))
    if left:
        run.tell(Planned(Plan("see what is left outside of the inventory", refusals=left)))
    return left
