"""A plan carried out: in which order, what a failure means, and what is reported."""

import time
from collections.abc import Callable, Iterator
from threading import Barrier, Event
from types import SimpleNamespace

import pytest

from orchestrator.plan.command import Command
from orchestrator.plan.problem import Problem
from orchestrator.plan.steps import (
    NotYet,
    OnFailure,
    Phase,
    Plan,
    Ready,
    Run,
    Step,
    StepKind,
    Until,
    Wait,
    WaitResult,
    Watch,
)
from orchestrator.remote.execute.events import (
    Happening,
    PhaseBegan,
    Report,
    Status,
    StepBegan,
    StepEnded,
    StepWaits,
)
from orchestrator.remote.execute.runner import execute
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.remote.fakes import SOON, Answer, FakeFleet, held, reached

OK = Output(0)
BROKEN = Output(1, stderr="it broke\n")


@pytest.fixture
def fleet() -> Iterator[FakeFleet]:
    fleet = FakeFleet()
    fleet.on("*", "good", OK)
    fleet.on("*", "bad", BROKEN)
    yield fleet
    fleet.check()


def run(host: str, *words: str, timeout: float = 60) -> Run:
    return Run(host, " ".join(words), Command(words), timeout=timeout)


def phase(title: str, *steps: Step, on_failure: OnFailure = OnFailure.KEEP_GOING) -> Phase:
    return Phase(title, steps, on_failure)


def carried_out(fleet: FakeFleet, *phases: Phase) -> Report:
    return execute(Plan("test", phases), fleet, lambda _: None, Event())


def statuses(report: Report) -> dict[str, Status]:
    return {f"{result.step.host} {result.step.title}": result.status for result in report.results}


def then_ok(event: Event) -> Callable[..., Answer]:
    """A command that sets an event and succeeds."""

    def reply(*_: object) -> Answer:
        event.set()
        return OK

    return reply


def only_failure(report: Report) -> Failure:
    (failed,) = report.failed
    assert failed.failure
    return failed.failure


def test_phases_run_in_order(fleet: FakeFleet) -> None:
    carried_out(
        fleet, *(phase(f"{n}", run("gpu1", "good", str(n)), run("gpu2", "good", str(n))) for n in "abc")
    )
    assert [line[-1] for line in fleet.lines()] == ["a", "a", "b", "b", "c", "c"]


def test_hosts_of_a_phase_run_side_by_side(fleet: FakeFleet) -> None:
    together = Barrier(3)

    def meet(_command: Command, _cancel: Event) -> Answer:
        together.wait(SOON)  # breaks unless all three are here at once
        return OK

    fleet.on("*", "meet", meet)
    assert carried_out(fleet, phase("p", *(run(host, "meet") for host in ("gpu1", "gpu2", "gpu3")))).ok


def test_the_steps_of_a_host_run_one_after_the_other(fleet: FakeFleet) -> None:
    carried_out(fleet, phase("p", *(run("gpu1", "good", str(number)) for number in range(5))))
    assert [line[-1] for line in fleet.lines("gpu1")] == ["0", "1", "2", "3", "4"]


def test_after_a_failed_step_its_host_does_no_more_in_the_phase_and_the_others_go_on(
    fleet: FakeFleet,
) -> None:
    report = carried_out(
        fleet,
        phase("p", run("gpu1", "bad"), run("gpu1", "good"), run("gpu2", "good"), run("gpu2", "good", "2")),
    )
    assert statuses(report) == {
        "gpu1 bad": Status.FAILED,
        "gpu1 good": Status.NOT_RUN,
        "gpu2 good": Status.OK,
        "gpu2 good 2": Status.OK,
    }


@pytest.mark.parametrize(
    ("on_failure", "later"),
    [
        (OnFailure.STOP, {"gpu1": Status.NOT_RUN, "gpu2": Status.NOT_RUN}),
        (OnFailure.DROP_HOST, {"gpu1": Status.NOT_RUN, "gpu2": Status.OK}),
        (OnFailure.KEEP_GOING, {"gpu1": Status.OK, "gpu2": Status.OK}),
    ],
)
def test_what_a_failure_means_for_later_phases(
    fleet: FakeFleet, on_failure: OnFailure, later: dict[str, Status]
) -> None:
    first = phase("one", run("gpu1", "bad"), run("gpu2", "good"), on_failure=on_failure)
    for title in ("two", "three"):
        report = carried_out(fleet, first, phase("two", *_both()), phase("three", *_both()))
        assert {r.step.host: r.status for r in report.results if r.phase == title} == later


def _both() -> tuple[Run, Run]:
    return run("gpu1", "good"), run("gpu2", "good")


def test_what_was_not_run_was_not_sent(fleet: FakeFleet) -> None:
    carried_out(
        fleet, phase("one", run("gpu1", "bad"), on_failure=OnFailure.STOP), phase("two", run("gpu2", "good"))
    )
    assert len(fleet.sent) == 1


def test_a_command_ends_itself_after_its_time(fleet: FakeFleet) -> None:
    carried_out(fleet, phase("p", run("gpu1", "good", "a b", timeout=90)))
    assert fleet.lines() == ["timeout -k 5 90 good 'a b'"]


def test_what_a_command_reads_goes_with_it(fleet: FakeFleet) -> None:
    carried_out(fleet, phase("p", Run("gpu1", "feed", Command(("good",), ("fed",)))))
    assert [each.command.input() for each in fleet.sent] == [b"fed"]


def test_exit_code_124_means_that_the_time_was_over(fleet: FakeFleet) -> None:
    fleet.on("gpu1", "slow", Output(124, stderr="still at it"))
    failure = only_failure(carried_out(fleet, phase("p", run("gpu1", "slow", timeout=90))))
    assert failure == Failure(FailureKind.TIMEOUT, "did not end within 90 s", 124, "still at it")


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (
            Output(125, stderr="no such image\n"),
            Failure(FailureKind.EXIT, "no such image (exit code 125)", 125, "no such image"),
        ),
        (
            Output(1, "told on stdout\n"),
            Failure(FailureKind.EXIT, "told on stdout (exit code 1)", 1, "told on stdout"),
        ),
        (Output(1, "some", "more"), Failure(FailureKind.EXIT, "more (exit code 1)", 1, "more")),
        (Output(2), Failure(FailureKind.EXIT, "exit code 2", 2)),
    ],
)
def test_any_other_exit_code_is_a_failure_with_the_commands_words(
    fleet: FakeFleet, answer: Answer, failure: Failure
) -> None:
    fleet.on("gpu1", "start", answer)
    assert only_failure(carried_out(fleet, phase("p", run("gpu1", "start")))) == failure


def test_a_host_that_cannot_be_reached_fails_the_step_in_the_transports_words(fleet: FakeFleet) -> None:
    unreachable = Failure(FailureKind.UNREACHABLE, "no route to host", fix="plug it in")
    fleet.on("gpu1", "good", unreachable)
    assert only_failure(carried_out(fleet, phase("p", run("gpu1", "good")))) is unreachable


def test_the_report_has_a_result_for_every_step_of_the_plan(fleet: FakeFleet) -> None:
    plan = Plan(
        "test",
        (
            phase(
                "one", run("gpu1", "good"), run("gpu2", "bad"), run("gpu2", "good"), on_failure=OnFailure.STOP
            ),
            phase("two", run("gpu1", "good", "two")),
        ),
    )
    report = execute(plan, fleet, lambda _: None, Event())
    assert sorted(map(repr, (result.step for result in report.results))) == sorted(map(repr, plan))
    assert [result.step.title for result in report.failed] == ["bad"]
    not_run = [result.step.title for result in report.results if result.status is Status.NOT_RUN]
    assert not_run == ["good", "good two"]
    assert not report.ok
    assert (report.plan, report.watched) == (plan, "")


def test_the_report_of_a_good_run_is_ok_and_keeps_what_commands_said(fleet: FakeFleet) -> None:
    fleet.on("gpu1", "tell", Output(0, "told"))
    report = carried_out(fleet, phase("p", run("gpu1", "tell")))
    assert report.ok
    assert report.results[0].output == Output(0, "told")


def test_started_names_the_hosts_where_a_container_may_be_now(fleet: FakeFleet) -> None:
    def start(host: str, word: str) -> Run:
        return Run(host, "start", Command((word,)), kind=StepKind.START_CONTAINER)

    report = carried_out(
        fleet,
        phase(
            "p",
            start("gpu1", "good"),
            start("gpu2", "bad"),
            run("gpu3", "bad"),
            start("gpu3", "good"),
            run("gpu4", "good"),
        ),
    )
    assert report.started == {"gpu1", "gpu2"}


def test_events_are_told_in_order(fleet: FakeFleet) -> None:
    told: list[Happening] = []
    phases = (phase("one", run("gpu1", "good"), run("gpu1", "bad"), run("gpu1", "good", "2")), phase("two"))
    report = execute(Plan("test", phases), fleet, told.append, Event())
    good, bad, _ = phases[0].steps
    assert [type(each) for each in told] == [
        PhaseBegan,
        StepBegan,
        StepEnded,
        StepBegan,
        StepEnded,
        PhaseBegan,
    ]
    assert [each.step for each in told if isinstance(each, StepBegan)] == [good, bad]
    assert [each for each in told if isinstance(each, StepEnded)] == list(report.results[:2])


def test_nothing_begins_once_it_is_cancelled(fleet: FakeFleet) -> None:
    cancel = Event()
    cancel.set()
    told: list[Happening] = []
    report = execute(Plan("test", (phase("p", run("gpu1", "good")),)), fleet, told.append, cancel)
    assert [result.status for result in report.results] == [Status.NOT_RUN]
    assert (fleet.sent, told) == ([], [])


def test_a_plan_without_phases_is_done_at_once(fleet: FakeFleet) -> None:
    assert carried_out(fleet).ok


# Waits, and the watches that they hear.

TABLE = Command(("table",))
SILENT = Failure(FailureKind.UNREACHABLE, "the connection broke")


def wait(until: Until, *, within: float = SOON, every: float = 0, host: str = "gpu1") -> Wait:
    return Wait(host, "wait", Command(("probe", "--all")), until, within, every)


def says(exit_code: int, stdout: str, watched: str) -> WaitResult:  # noqa: ARG001
    """What the probe tells is the verdict."""
    known: dict[str, WaitResult] = {
        "ready": Ready("it is there"),
        "never": Problem("it ended", exit_code=137),
    }
    return known.get(stdout, NotYet(f"{stdout or 'nothing'} ({exit_code})"))


def hears(exit_code: int, stdout: str, watched: str) -> WaitResult:  # noqa: ARG001
    return Ready(watched) if watched == "all" else NotYet("not all yet")


def watching(*steps: Step) -> Phase:
    watch = Watch("gpu1", "watch", TABLE, alone=(), within=SOON)
    return Phase("p", steps, OnFailure.KEEP_GOING, watch)


def test_a_wait_asks_again_until_it_is_ready(fleet: FakeFleet) -> None:
    fleet.on("gpu1", "probe", Output(1), Output(0, "nearly"), Output(0, "ready"))
    report = carried_out(fleet, phase("p", wait(says)))
    assert fleet.lines() == ["timeout -k 5 20 probe --all"] * 3
    assert report.results[0].output == Output(0, "it is there")


def test_a_wait_for_what_comes_in_a_moment_asks_again_at_once(fleet: FakeFleet) -> None:
    def nearly(exit_code: int, stdout: str, watched: str) -> WaitResult:  # noqa: ARG001
        return Ready() if stdout == "ready" else NotYet("nearly", soon=True)

    fleet.on("gpu1", "probe", Output(0, ""), Output(0, "ready"))
    began = time.monotonic()
    assert carried_out(fleet, phase("p", wait(nearly, within=60, every=60))).ok
    assert time.monotonic() - began < 30


def test_a_wait_gives_up_at_once_where_it_can_never_be(fleet: FakeFleet) -> None:
    fleet.on("gpu1", "probe", Output(0, "never"))
    assert only_failure(carried_out(fleet, phase("p", wait(says)))) == Failure(
        FailureKind.EXIT, "it ended", 137
    )
    assert len(fleet.sent) == 1


def test_what_stays_in_doubt_is_believed_with_the_last_words_of_docker(fleet: FakeFleet) -> None:
    def doubts(exit_code: int, stdout: str, watched: str) -> WaitResult:  # noqa: ARG001
        return Ready() if stdout == "ready" else NotYet("half", doubt=Problem("gone") if exit_code else None)

    no_docker = Output(1, "", "Cannot connect to the Docker daemon")
    fleet.on("gpu1", "probe", no_docker, Output(0, "half"), no_docker, Output(0, "ready"))
    assert carried_out(fleet, phase("p", wait(doubts))).ok
    fleet.timeouts = Timeouts(doubt=0.1)
    fleet.on("gpu1", "probe", no_docker)
    failure = only_failure(carried_out(fleet, phase("p", wait(doubts, every=0.02))))
    assert (failure.message, failure.detail) == ("gone", "Cannot connect to the Docker daemon")


def test_a_wait_whose_time_is_over_says_what_was_still_missing(fleet: FakeFleet) -> None:
    fleet.on("gpu1", "probe", Output(0, "half"))
    assert only_failure(carried_out(fleet, phase("p", wait(says, within=0)))) == Failure(
        FailureKind.TIMEOUT, "half (0), after 0 s"
    )


def test_a_wait_for_what_moves_counts_its_time_from_there(
    fleet: FakeFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def moves(exit_code: int, stdout: str, watched: str) -> WaitResult:  # noqa: ARG001
        nonlocal now
        now += 40
        return Ready() if stdout == "ready" else NotYet("moves", still=float(stdout))

    monkeypatch.setattr("orchestrator.remote.execute.runner.time", SimpleNamespace(monotonic=lambda: now))
    fleet.on("gpu1", "probe", *[Output(0, "0.0")] * 5, Output(0, "ready"))
    assert carried_out(fleet, phase("p", wait(moves, within=60, every=0))).ok
    fleet.on("gpu1", "probe", Output(0, "61"))
    failure = only_failure(carried_out(fleet, phase("p", wait(moves, within=60))))
    assert failure == Failure(FailureKind.TIMEOUT, "moves, after 60 s")


def test_a_wait_fails_where_its_host_cannot_be_asked(fleet: FakeFleet) -> None:
    fleet.on("gpu1", "probe", SILENT)
    assert only_failure(carried_out(fleet, phase("p", wait(says)))) is SILENT


def test_each_new_reason_for_waiting_is_told_once(fleet: FakeFleet) -> None:
    fleet.on("gpu1", "probe", *(Output(0, text) for text in ("a", "a", "b", "b", "a", "ready")))
    told: list[Happening] = []
    execute(Plan("test", (phase("p", wait(says)),)), fleet, told.append, Event())
    assert [each.why for each in told if isinstance(each, StepWaits)] == ["a (0)", "b (0)", "a (0)"]


def test_a_reason_that_stays_is_told_again_now_and_then(fleet: FakeFleet) -> None:
    fleet.timeouts = Timeouts(still_waiting=0.0)
    fleet.on("gpu1", "probe", *(Output(0, text) for text in ("a", "a", "ready")))
    told: list[Happening] = []
    execute(Plan("test", (phase("p", wait(says)),)), fleet, told.append, Event())
    waits = [each for each in told if isinstance(each, StepWaits)]
    assert [(each.why, each.still) for each in waits] == [("a (0)", False), ("a (0)", True)]


def test_a_step_after_a_wait_that_failed_is_not_run(fleet: FakeFleet) -> None:
    fleet.on("gpu1", "probe", Output(0, "never"))
    report = carried_out(fleet, phase("p", wait(says), run("gpu1", "good")))
    assert statuses(report) == {"gpu1 wait": Status.FAILED, "gpu1 good": Status.NOT_RUN}


def test_a_wait_that_is_cancelled_ends_and_nothing_later_is_run(fleet: FakeFleet) -> None:
    cancel = Event()

    def interrupted(_command: Command, _cancel: Event) -> Answer:
        cancel.set()
        return Output(0, "half")

    fleet.on("gpu1", "probe", interrupted)
    phases = (phase("one", wait(says), run("gpu1", "good")), phase("two", run("gpu2", "good")))
    report = execute(Plan("test", phases), fleet, lambda _: None, cancel)
    assert only_failure(report).kind is FailureKind.CANCELLED
    assert statuses(report) == {
        "gpu1 wait": Status.FAILED,
        "gpu1 good": Status.NOT_RUN,
        "gpu2 good": Status.NOT_RUN,
    }


def test_a_command_that_is_cancelled_is_a_failure_of_that_kind(fleet: FakeFleet) -> None:
    cancel, begun = Event(), Event()

    def long(command: Command, stop: Event) -> Answer:
        begun.set()
        return held(command, stop)

    fleet.on("gpu1", "long", long)
    fleet.on("gpu2", "interrupt", lambda *_: then_ok(cancel)() if reached(begun) else BROKEN)
    both = phase("p", run("gpu1", "long"), run("gpu2", "interrupt"))
    report = execute(Plan("test", (both,)), fleet, lambda _: None, cancel)
    assert only_failure(report).kind is FailureKind.CANCELLED


def test_what_the_watch_tells_reaches_the_wait_before_the_next_probe(fleet: FakeFleet) -> None:
    probed = Event()
    fleet.on("gpu2", "probe", then_ok(probed))
    fleet.streams("gpu1", "table", "some", probed, "all")
    report = carried_out(fleet, watching(wait(hears, host="gpu2", every=SOON)))
    assert (report.ok, report.watched) == (True, "all")
    assert fleet.lines("gpu2") == ["timeout -k 5 20 probe --all"] * 2  # the second confirms, in the end


def test_the_watch_itself_is_sent_as_it_stands_and_not_bounded(fleet: FakeFleet) -> None:
    fleet.on("gpu2", "probe", OK)
    fleet.streams("gpu1", "table", "all")
    carried_out(fleet, watching(wait(hears, host="gpu2")))
    assert fleet.lines("gpu1") == ["table"]


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (Output(137, stderr="the container went\n"), "the container went (exit code 137)"),
        (
            Output(134, stderr="Fatal error: the token file is empty\nAborted\n"),
            "Fatal error: the token file is empty (exit code 134)",
        ),
        (Output(1), "exit code 1"),
        (SILENT, "the connection broke"),
    ],
)
def test_when_the_watch_dies_those_who_wait_fail_with_the_reason(
    fleet: FakeFleet, end: Answer, why: str
) -> None:
    fleet.on("*", "probe", OK)
    fleet.streams("gpu1", "table", "some", end)
    report = carried_out(fleet, watching(*(wait(hears, host=host, every=SOON) for host in ("gpu2", "gpu3"))))
    assert [result.failure for result in report.failed] == [
        Failure(FailureKind.UNREACHABLE, f"nobody tells of Ray's nodes any more: gpu1: {why}")
    ] * 2
    assert report.watched == "some"


def test_a_watch_ends_with_its_phase_and_before_the_next(fleet: FakeFleet) -> None:
    begun, ended = Event(), Event()

    def told(command: Command, over: Event) -> Answer:
        begun.set()
        answer = held(command, over)
        ended.set()
        return answer

    fleet.streams("gpu1", "table", told)
    fleet.on("gpu2", "during", lambda *_: OK if reached(begun) and not ended.is_set() else BROKEN)
    fleet.on("gpu2", "after", lambda *_: OK if ended.is_set() else BROKEN)
    assert carried_out(fleet, watching(run("gpu2", "during")), phase("next", run("gpu2", "after"))).ok


def test_who_was_ready_while_others_were_waited_for_has_to_be_so_in_the_end(fleet: FakeFleet) -> None:
    fleet.timeouts = Timeouts(confirm=0.0)
    first_is_ready = Event()

    def lists(name: str) -> Until:
        def judge(exit_code: int, stdout: str, watched: str) -> WaitResult:  # noqa: ARG001
            return Ready() if name in watched else NotYet(f"{name} is not listed")

        return judge

    def heard(happening: Happening) -> None:
        if isinstance(happening, StepEnded) and happening.step.host == "gpu1":
            first_is_ready.set()

    fleet.streams("gpu1", "table", "gpu1", first_is_ready, "gpu2")
    waits = (wait(lists("gpu1")), wait(lists("gpu2"), host="gpu2"))
    fleet.on("*", "probe", OK)
    report = execute(Plan("test", (watching(*waits),)), fleet, heard, Event())
    assert [(result.step.host, result.status) for result in report.results] == [
        ("gpu1", Status.FAILED),
        ("gpu2", Status.OK),
    ]
    assert only_failure(report).message == "was so, but is no longer: gpu1 is not listed, after 0 s"


def test_what_was_so_of_one_host_has_to_be_so_of_all_in_the_end(fleet: FakeFleet) -> None:
    fleet.on("gpu1", "probe", Output(0, "ready"), Output(0, "never"))
    fleet.on("gpu2", "probe", Output(0, "ready"))
    fleet.streams("gpu1", "table")
    told: list[Happening] = []
    phases = (watching(wait(says), wait(says, host="gpu2")),)
    report = execute(Plan("test", phases), fleet, told.append, Event())
    assert only_failure(report).message == "was so, but is no longer: it ended"
    assert statuses(report) == {"gpu1 wait": Status.FAILED, "gpu2 wait": Status.OK}
    assert told[-1] == report.failed[0]


def test_without_a_watch_nothing_is_asked_twice(fleet: FakeFleet) -> None:
    fleet.on("gpu1", "probe", Output(0, "ready"))
    carried_out(fleet, phase("p", wait(says)))
    assert len(fleet.sent) == 1
