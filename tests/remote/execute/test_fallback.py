"""Another way where a phase fails on a host: for whom it is taken, and what counts as failed then."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from orchestrator.plan.command import Command
from orchestrator.plan.steps import Feed, OnFailure, Phase
from orchestrator.remote.execute.events import Status
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.remote.execute.test_runner import BROKEN, OK, carried_out, phase, run, statuses
from tests.remote.fakes import FakeFleet

FEED = Feed("head", "save", Command(("save",)), 0, 60)


@pytest.fixture
def fleet() -> Iterator[FakeFleet]:
    fleet = FakeFleet()
    fleet.on("*", "build", OK)
    fleet.on("*", "load", OK)
    fleet.on("*", "start", OK)
    fleet.on("head", "save", Output(0, "an image"))
    yield fleet
    fleet.check()


def building(*hosts: str) -> Phase:
    other = replace(phase("Copy", *(run(host, "load") for host in hosts if host != "head")), feed=FEED)
    steps = (step for host in hosts for step in (run(host, "build"), run(host, "build", "more")))
    return replace(phase("Build", *steps, on_failure=OnFailure.DROP_HOST), otherwise=other)


def test_the_other_way_is_taken_by_those_alone_that_need_it_and_then_nothing_has_failed(
    fleet: FakeFleet,
) -> None:
    fleet.on("two", "build", BROKEN)
    report = carried_out(fleet, building("head", "one", "two"), phase("Start", run("two", "start")))
    assert (report.ok, report.failed, report.not_run) == (True, (), ())
    assert [(each.step.host, each.step.title) for each in report.mended] == [("two", "build")]
    assert [each.host for each in fleet.sent if "load" in each.command.argv] == ["two"]
    assert statuses(report)["two start"] is Status.OK


def test_where_it_fails_too_both_failures_are_told_and_the_host_leaves(fleet: FakeFleet) -> None:
    fleet.on("two", "build", BROKEN)
    fleet.on("two", "load", BROKEN)
    report = carried_out(fleet, building("head", "two"), phase("Start", run("two", "start")))
    assert [each.step.title for each in report.failed] == ["build", "load"]
    assert report.mended == ()
    assert statuses(report)["two start"] is Status.NOT_RUN


def test_it_does_not_begin_on_a_host_that_failed_itself(fleet: FakeFleet) -> None:
    fleet.on("*", "build", BROKEN)
    report = carried_out(fleet, building("head", "one"))
    assert [each.step.host for each in report.failed] == ["head", "one"]
    assert "save" not in " ".join(fleet.lines())


def test_a_host_that_is_lost_is_not_tried_again(fleet: FakeFleet) -> None:
    fleet.on("one", "build", Failure(FailureKind.UNREACHABLE, "does not answer"))
    report = carried_out(fleet, building("head", "one"))
    assert [each.step.title for each in report.failed] == ["build"]


def test_what_has_nothing_to_mend_stays_as_it_is(fleet: FakeFleet) -> None:
    report = carried_out(fleet, building("head", "one"))
    assert report.ok
    assert set(statuses(report)) == {"head build", "head build more", "one build", "one build more"}
