"""A command that tells how far it is."""

from threading import Event

from orchestrator.plan.command import Command
from orchestrator.plan.progress import Progress
from orchestrator.plan.steps import OnFailure, Phase, Plan, Run
from orchestrator.remote.execute.events import Happening, StepAdvanced
from orchestrator.remote.execute.runner import execute
from orchestrator.remote.transport import Output
from tests.remote.fakes import FakeFleet

PULL = Run(
    "gpu1",
    "pull it",
    Command(("pull",)),
    how_far=lambda lines: Progress(len(set(lines)) - 1) if len(set(lines)) > 1 else None,
)


def carried_out(fleet: FakeFleet, told: list[Happening]) -> str:
    phase = Phase("Get it", (PULL,), OnFailure.STOP)
    report = execute(Plan("test", (phase,)), fleet, told.append, Event())
    return "ok" if report.ok else report.failed[0].failure.message  # type: ignore[union-attr]


def test_its_progress_is_told_whenever_it_changes() -> None:
    fleet, told = FakeFleet(), list[Happening]()
    fleet.streams("gpu1", "pull", "a", "a", "b", "b", "c", Output(0))
    assert carried_out(fleet, told) == "ok"
    assert [each.far for each in told if isinstance(each, StepAdvanced)] == [Progress(1), Progress(2)]


def test_its_end_is_judged_as_that_of_any_other() -> None:
    fleet = FakeFleet()
    fleet.streams("gpu1", "pull", "a", Output(1, stderr="denied"))
    assert carried_out(fleet, []) == "denied (exit code 1)"
    fleet.streams("gpu1", "pull", Output(124))
    assert carried_out(fleet, []) == "did not end within 60 s"
