"""One host's output as the input of others: all of it for each, and none waits for one that is lost."""

import gzip
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from threading import Event, Timer

from orchestrator.plan.command import Command
from orchestrator.plan.steps import Feed, OnFailure, Phase, Plan, Run
from orchestrator.remote.execute.events import Happening, Report, StepAdvanced, StepWaits
from orchestrator.remote.execute.runner import execute
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output, Receive
from tests.remote.fakes import SOON, Answer, FakeFleet, FakeHost, reached

PIECE = bytes(range(256)) * 4096
COUNT = 20
LOST = Failure(FailureKind.UNREACHABLE, "the connection was lost")
FEED = Feed("source", "save it", Command(("save",)), size=COUNT * len(PIECE), within=60, if_hollow="mend it")

Piping = Callable[[int, Receive, Event], Answer]


@dataclass(frozen=True)
class Host(FakeHost):
    """One that only pipes, as told."""

    piping: Piping = lambda _in, _hear, _cancel: Output(0)

    def pipe(
        self,
        command: Command,
        stdin: int,
        on_stdout: Receive,
        on_stderr: Receive,
        *,
        timeout: float,
        cancel: Event,
        to_the_end: bool = False,  # noqa: ARG002 - no login shell speaks here
    ) -> Answer:
        assert command.argv[0] == "timeout"
        assert timeout > 0
        on_stderr(b"")
        return self.piping(stdin, on_stdout, cancel)


@dataclass(frozen=True)
class Hosts:
    piping: dict[str, Piping]
    timeouts: Timeouts = DEFAULT

    def __getitem__(self, name: str) -> Host:
        return Host(name, FakeFleet(), piping=self.piping[name])

    def at_work(self) -> AbstractContextManager[object]:
        return nullcontext()


def pours(_stdin: int, hear: Receive, cancel: Event) -> Answer:
    for _ in range(COUNT):
        if cancel.is_set():
            return Failure(FailureKind.CANCELLED, "cancelled")
        hear(PIECE)
    return Output(0)


def breaks_off(_stdin: int, hear: Receive, _cancel: Event) -> Answer:
    hear(PIECE)
    return LOST


def hangs(_stdin: int, _hear: Receive, cancel: Event) -> Answer:
    """As a transport does whose host is silent: it looks at the flag now and then."""
    over = Event()
    Timer(SOON, over.set).start()
    while not (cancel.is_set() or over.is_set()):
        over.wait(0.05)
    assert not over.is_set(), "nobody cancelled it"
    return Failure(FailureKind.CANCELLED, "cancelled")


def is_full(stdin: int, _hear: Receive, _cancel: Event) -> Answer:
    os.read(stdin, 1000)
    return Output(1, stderr="no space left on device")


class Takes:
    """A host that reads to the end, and knows how much that was."""

    def __init__(self) -> None:
        self.taken = 0

    def __call__(self, stdin: int, _hear: Receive, cancel: Event) -> Answer:
        while piece := os.read(stdin, 1 << 16):
            self.taken += len(piece)
        return Failure(FailureKind.CANCELLED, "cancelled") if cancel.is_set() else Output(0)


def fed(
    source: Piping,
    told: list[Happening] | None = None,
    cancel: Event | None = None,
    timeouts: Timeouts = DEFAULT,
    feed: Feed = FEED,
    **hosts: Piping,
) -> Report:
    loads = tuple(Run(name, "load it", Command(("load",))) for name in hosts)
    phase = Phase("Copy", loads, OnFailure.DROP_HOST, feed=feed)
    listener = told.append if told is not None else lambda _: None
    return execute(
        Plan("test", (phase,)), Hosts({"source": source, **hosts}, timeouts), listener, cancel or Event()
    )


def failures(report: Report) -> dict[str, str]:
    return {result.step.host: result.failure.message for result in report.failed if result.failure}


def test_each_host_gets_all_of_it() -> None:
    one, two = Takes(), Takes()
    assert fed(pours, one=one, two=two).ok
    assert (one.taken, two.taken) == (COUNT * len(PIECE),) * 2


def test_a_host_that_fails_stops_no_other() -> None:
    one = Takes()
    report = fed(pours, one=one, full=is_full)
    assert failures(report) == {"full": "no space left on device (exit code 1)"}
    assert one.taken == COUNT * len(PIECE)


def test_a_host_that_takes_nothing_is_left_behind() -> None:
    one = Takes()
    report = fed(pours, timeouts=Timeouts(image_piece=0.2), one=one, mute=hangs)
    assert failures(report) == {"mute": "took next to nothing for 0.2 s"}
    assert one.taken == COUNT * len(PIECE)


def test_when_nobody_is_left_the_source_is_told_to_stop() -> None:
    report = fed(pours, full=is_full)
    assert failures(report) == {"full": "no space left on device (exit code 1)"}


def test_a_source_that_breaks_off_is_named_by_every_host_and_nothing_cut_short_is_taken_for_whole() -> None:
    report = fed(breaks_off, one=Takes(), two=Takes())
    assert set(failures(report).values()) == {"source stopped sending it: the connection was lost"}
    assert set(failures(report)) == {"one", "two"}


def test_a_source_that_fails_says_why() -> None:
    report = fed(lambda *_: Output(1, stderr="no such image"), one=Takes())
    assert failures(report) == {"one": "source stopped sending it: no such image (exit code 1)"}
    assert [result.failure.detail for result in report.failed if result.failure] == ["no such image"]


def test_an_archive_with_next_to_nothing_in_it_is_no_image_though_it_came_to_its_end() -> None:
    """Docker's containerd store saves so, with exit code 0, an image of whose layers it has only the files."""

    def hollow(_stdin: int, hear: Receive, _cancel: Event) -> Answer:
        hear(PIECE[:6656])
        return Output(0)

    report = fed(hollow, one=Takes())
    assert failures(report) == {"one": "source sent 7 kB of 21 MB: it lacks layers of the image"}
    assert [result.failure.fix for result in report.failed if result.failure] == ["mend it"]


def test_ctrl_c_ends_all_of_them() -> None:
    cancel, began = Event(), Event()

    def pours_for_ever(_stdin: int, hear: Receive, cancel: Event) -> Answer:
        while not cancel.is_set():
            began.set()
            hear(PIECE)
        return Failure(FailureKind.CANCELLED, "cancelled")

    def presses(_stdin: int, hear: Receive, cancel_of_it: Event) -> Answer:
        assert reached(began)
        cancel.set()
        return hangs(_stdin, hear, cancel_of_it)

    report = fed(pours_for_ever, cancel=cancel, one=Takes(), two=presses)
    assert set(failures(report).values()) == {"cancelled"}


def test_how_much_has_gone_to_each_host_is_told() -> None:
    told = list[Happening]()
    fed(pours, told, timeouts=Timeouts(image_report=0.0), one=Takes())
    far = [each.far for each in told if isinstance(each, StepAdvanced)]
    assert [each.done // len(PIECE) for each in far] == [0, *range(1, COUNT + 1)]
    assert {each.total for each in far} == {COUNT * len(PIECE)}
    assert far[-1].rate > 0
    (last,) = (each.why for each in told if isinstance(each, StepWaits))
    assert last == "all 21 MB are there, and Docker takes them in"


def test_what_is_packed_on_its_way_comes_whole_and_its_share_is_of_what_it_is_made_of() -> None:
    heard, came = list[Happening](), list[bytes]()

    def takes(stdin: int, _hear: Receive, _cancel: Event) -> Answer:
        while piece := os.read(stdin, 1 << 20):
            came.append(piece)
        return Output(0)

    packed, timeouts = replace(FEED, packer=("gzip", "-1")), replace(DEFAULT, image_report=0.0)
    assert fed(pours, heard, timeouts=timeouts, feed=packed, gpu1=takes).ok
    assert gzip.decompress(b"".join(came)) == PIECE * COUNT
    assert len(b"".join(came)) < len(PIECE)
    done = [each.far.done for each in heard if isinstance(each, StepAdvanced)]
    assert max(done) > len(PIECE) * COUNT / 2


def test_a_packer_that_fails_is_told_and_what_came_is_not_the_whole() -> None:
    broken = replace(FEED, packer=("sh", "-c", "head -c 9; echo no memory >&2; exit 3"))

    def takes(stdin: int, _hear: Receive, cancel: Event) -> Answer:
        while os.read(stdin, 1 << 20):
            pass
        return Output(0) if not cancel.is_set() else Failure(FailureKind.CANCELLED, "cancelled")

    (why,) = failures(fed(pours, feed=broken, gpu1=takes)).values()
    assert "no memory (exit code 3)" in why
