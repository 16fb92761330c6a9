"""A person's own command side by side, and what becomes of it when they leave."""

import os
from collections.abc import Iterator
from dataclasses import replace
from threading import Event

import pytest

from orchestrator.plan.actions.adhoc import Exec
from orchestrator.plan.command import Command
from orchestrator.plan.typed import ours
from orchestrator.remote.execute.adhoc import Result, execute, execute_all
from orchestrator.remote.execute.events import Happening, HostSeen
from orchestrator.remote.transport import Failure, FailureKind, Output, Receive
from tests.remote.fakes import Answer, FakeFleet, FakeHost, held, reached

SILENT = Failure(FailureKind.UNREACHABLE, "does not answer")
JOB = Exec("gpu1", Command(("look",)), Command(("work",)), Command(("end",)))


@pytest.fixture
def fleet() -> Iterator[FakeFleet]:
    """A host whose container runs."""
    fleet = FakeFleet()
    fleet.on("*", "look", Output(0, "\x1erunning\n"))
    yield fleet
    fleet.check()


@pytest.fixture
def nothing() -> Iterator[int]:
    nothing = os.open(os.devnull, os.O_RDONLY)
    yield nothing
    os.close(nothing)


def on_gpu1(fleet: FakeFleet, stdin: int, cancel: Event, hear: Receive = lambda _: None) -> Result:
    return execute(JOB, FakeHost("gpu1", fleet, "as root"), stdin, hear, lambda _: None, cancel)


def interrupted(fleet: FakeFleet, stdin: int) -> Result:
    cancel = Event()

    def works(command: Command, cancelled: Event) -> Answer:
        cancel.set()
        return held(command, cancelled)

    fleet.on("gpu1", "work", works)
    return on_gpu1(fleet, stdin, cancel)


def test_all_run_side_by_side_and_what_each_says_is_gathered(fleet: FakeFleet, nothing: int) -> None:
    fleet.on("gpu1", "work", Output(0, "out", "err"))
    fleet.on("gpu2", "work", Output(3))
    told: list[Happening] = []
    jobs = (JOB, replace(JOB, host="gpu2"))
    first, second = execute_all(jobs, fleet, nothing, told.append, Event())  # type: ignore[arg-type]
    assert (first.host, first.exit_code, first.stdout, first.stderr) == ("gpu1", 0, b"out", b"err")
    assert (second.host, second.exit_code, second.stdout) == ("gpu2", 3, b"")
    assert set(told) == {HostSeen("gpu1", "", "done"), HostSeen("gpu2", "exit code 3", "done")}


def test_a_host_that_is_silent_keeps_no_other_waiting(nothing: int) -> None:
    others_ran = Event()

    class Silent(FakeHost):
        def open(self, *, cancel: Event) -> Failure:
            assert not cancel.is_set()
            assert reached(others_ran)
            return SILENT

    class Fleet(FakeFleet):
        def __getitem__(self, host: str) -> FakeHost:
            return Silent(host, self) if host == "gpu1" else FakeHost(host, self)

    def works(_command: Command, _cancel: Event) -> Output:
        others_ran.set()
        return Output(0)

    fleet = Fleet(jobs=1)
    fleet.on("*", "look", Output(0, "\x1erunning\n"))
    fleet.on("gpu2", "work", works)
    jobs = (JOB, replace(JOB, host="gpu2"))
    first, second = execute_all(jobs, fleet, nothing, lambda _: None, Event())  # type: ignore[arg-type]
    assert (first.failure, first.exit_code, second.exit_code) == (SILENT, 255, 0)


def test_without_a_container_that_runs_nothing_is_begun(fleet: FakeFleet, nothing: int) -> None:
    fleet.on("gpu1", "look", Output(0, ""))
    result = on_gpu1(fleet, nothing, Event())
    assert result.exit_code == 125
    assert result.failure
    assert result.failure.fix == ours("up")
    assert fleet.lines() == ["look"]


def test_a_host_that_is_not_reached_counts_as_ssh_counts_it(fleet: FakeFleet, nothing: int) -> None:
    silent = Failure(FailureKind.UNREACHABLE, "does not answer")
    for step in ("work", "look"):
        fleet.on("gpu1", step, silent)
        result = on_gpu1(fleet, nothing, Event())
        assert (result.exit_code, result.failure) == (255, silent)
    assert "end" not in fleet.lines()


def test_what_is_left_by_ctrl_c_is_ended_on_the_host(fleet: FakeFleet, nothing: int) -> None:
    fleet.on("gpu1", "end", Output(0))
    failure = interrupted(fleet, nothing).failure
    assert failure == Failure(FailureKind.CANCELLED, "interrupted, and ended there")
    assert fleet.lines() == ["look", "work", "end"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [(Output(1, stderr="no\n"), "no"), (Failure(FailureKind.TIMEOUT, "silence"), "silence")],
)
def test_what_could_not_be_ended_is_not_said_to_be(
    answer: Answer, why: str, fleet: FakeFleet, nothing: int
) -> None:
    fleet.on("gpu1", "end", answer)
    failure = interrupted(fleet, nothing).failure
    assert failure
    assert (failure.message, failure.detail) == ("interrupted, but it may still run there", why)


def test_what_was_never_begun_needs_no_end(fleet: FakeFleet, nothing: int) -> None:
    cancel = Event()
    cancel.set()
    failure = on_gpu1(fleet, nothing, cancel).failure
    assert failure
    assert failure.kind is FailureKind.CANCELLED
    assert fleet.lines() == []


def test_a_command_that_nobody_hears_any_more_is_ended(fleet: FakeFleet, nothing: int) -> None:
    def gone(_: bytes) -> None:
        raise BrokenPipeError

    fleet.on("gpu1", "work", Output(0, "y\n"))
    fleet.on("gpu1", "end", Output(0))
    with pytest.raises(BrokenPipeError):
        on_gpu1(fleet, nothing, Event(), gone)
    assert fleet.lines() == ["look", "work", "end"]
