"""Another way for the hosts on which a phase has failed, and what then counts as failed."""

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.plan.steps import Phase
from orchestrator.remote.report import StepEnded
from orchestrator.remote.transport import FailureKind

MENDABLE = {FailureKind.EXIT, FailureKind.TIMEOUT}
"""The failures of a command; where the host itself is lost, another command does no better."""


def another_way(phase: Phase, ended: Sequence[StepEnded]) -> Phase | None:
    """The phase's `otherwise` for the hosts that need it. None where it would begin on a host that failed, too."""
    failed = {each.step.host for each in ended if each.failure and each.failure.kind in MENDABLE}
    other = phase.otherwise
    if other is None or (other.feed and other.feed.host in failed):
        return None
    steps = tuple(step for step in other.steps if step.host in failed)
    return replace(other, steps=steps) if steps else None


def mended(ended: Sequence[StepEnded], otherwise: Sequence[StepEnded]) -> list[StepEnded]:
    """All of these, with what has failed on a host made good where the other way ended well."""
    well = {each.step.host for each in otherwise} - {each.step.host for each in otherwise if not each.is_well}
    made_good = (
        replace(each, mended=True) if each.step.host in well and not each.is_well else each for each in ended
    )
    return [*made_good, *otherwise]
