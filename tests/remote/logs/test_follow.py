"""Following logs: who is lost is said once, and resumed; containers come and go; and the end."""

from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from itertools import pairwise
from threading import Event
from time import monotonic

import pytest

from orchestrator.plan.command import Command
from orchestrator.plan.logs.lines import ContainerLog
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.logs import host_follower
from orchestrator.remote.logs.follow import MOST, follow
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.plan.worlds import cluster
from tests.remote.fakes import SOON, Answer, FakeFleet, held

DEMO = cluster(workers=1)
LOST = Failure(FailureKind.UNREACHABLE, "the connection to gpu2 was lost", fix="look before doing it again")


def container(of: str = "c1", status: str = "running", started: str = "at noon") -> Output:
    return Output(0, f"\x1e{of}\n{status} 137 {started}\n1772366400.000000000\n")


def at(second: int, text: str) -> str:
    return f"2026-03-01T12:00:{second:02}.000000000Z {text}"


HURRIED = Timeouts(log_retry=0.02, log_start=0.02, log_backlog=0.02, log_batch=0.02)


@pytest.fixture
def fake() -> Iterator[FakeFleet]:
    """gpu1 and gpu2, each with a container that says its host's name and then nothing more."""
    fake = FakeFleet(timeouts=HURRIED)
    fake.on("*", "find", container())
    fake.streams("gpu1", "follow-logs", at(1, "gpu1"))
    fake.streams("gpu2", "follow-logs", at(2, "gpu2"))
    yield fake
    fake.check()


class Feed:
    """What has been told so far, of hosts as `host: text`."""

    def __init__(self, fake: FakeFleet, most: int = MOST) -> None:
        self.cancel, self.told = Event(), list[str]()
        wanted = {node: ContainerLog(node, "all", "") for node in DEMO.nodes}
        fleet = Fleet(DEMO, lambda node, _: fake[node.name], fake.jobs, fake.timeouts)
        self._heard = follow(DEMO, wanted, fleet, self.cancel, most)

    def until(self, met: Callable[[list[str]], bool], *, go_on: bool = False) -> list[str]:
        """All that is told until it is enough, or the log has ended. `go_on`: to be asked for more."""
        deadline = monotonic() + SOON
        with nullcontext(self._heard) if go_on else closing(self._heard) as batches:
            for heard in batches:
                self.told += [line.text for line in heard.lines]
                self.told += [f"{said.host}: {said.text}" for said in heard.said]
                if met(self.told):
                    break
                assert monotonic() < deadline, self.told
        return self.told


def told(fake: FakeFleet, *words: str) -> list[str]:
    """All that is told until these words are among it."""
    return Feed(fake).until(lambda told: set(words) <= set(told))


def test_what_was_said_before_is_told_in_order_of_time(fake: FakeFleet) -> None:
    fake.streams("gpu1", "follow-logs", at(1, "a"), at(3, "c"))
    fake.streams("gpu2", "follow-logs", at(2, "b"), at(4, "d"))
    assert told(fake, "d") == ["a", "b", "c", "d"]


def once(first: Output | Failure) -> Callable[[Command, Event], Output | Failure]:
    """How a stream ends: so the first time, and held open from then on."""
    left = [first]
    return lambda command, cancel: left.pop() if left else held(command, cancel)


def of_gpu2(told: list[str]) -> list[str]:
    return [each for each in told if each != "gpu1"]


def test_a_host_that_is_lost_is_told_of_once_and_resumed_without_a_line_twice(fake: FakeFleet) -> None:
    away = Failure(FailureKind.UNREACHABLE, "gpu2 does not answer")
    fake.on("gpu2", "find", container(), away, away, away, container())
    fake.streams("gpu2", "follow-logs", at(2, "gpu2"), once(LOST))
    fake.streams("gpu2", lambda command: "--since" in command.argv, at(2, "gpu2"), at(3, "back"))
    assert sorted(of_gpu2(told(fake, "back", "gpu2: answers again"))) == [
        *("back", "gpu2", "gpu2: answers again", "gpu2: the connection to gpu2 was lost; trying again"),
    ]


def test_a_host_that_was_never_there_is_told_of_with_what_to_do(fake: FakeFleet) -> None:
    fake.on("gpu2", "find", Failure(FailureKind.UNREACHABLE, "gpu2 refuses connections", fix="start sshd"))
    lost = "gpu2: gpu2 refuses connections; trying again"
    assert told(fake, "gpu1", lost).count(lost) == 1


def test_docker_that_does_not_answer_is_told_of(fake: FakeFleet) -> None:
    fake.on("gpu2", "find", Output(1, stderr="Cannot connect to the Docker daemon"), container())
    assert sorted(of_gpu2(told(fake, "gpu2", "gpu2: answers again"))) == [
        *("gpu2", "gpu2: Docker does not answer there; trying again", "gpu2: answers again")
    ]


def test_a_host_that_will_never_let_us_in_is_given_up_and_with_the_last_one_the_log_ends(
    fake: FakeFleet,
) -> None:
    fake.on("*", "find", Failure(FailureKind.AUTH, "no key fits"))
    feed = Feed(fake)
    assert sorted(feed.until(lambda _: False)) == [
        *("gpu1: no key fits; it is not followed", "gpu2: no key fits; it is not followed")
    ]
    assert not feed.cancel.is_set()


def test_a_container_that_ends_is_read_to_its_end_once_and_the_next_one_followed(fake: FakeFleet) -> None:
    ended, next_ = container(status="exited"), container("c2", started="at one")
    fake.on("gpu2", "find", container(), ended, ended, ended, next_)
    fake.streams("gpu2", "follow-logs", at(2, "gpu2"), Output(0))
    fake.streams("gpu2", lambda command: command.argv[-1] == "c2", at(5, "of the next"))
    assert sorted(of_gpu2(told(fake, "of the next"))) == [
        "gpu2",
        "gpu2: a new container is there",
        "gpu2: its container exited with code 137; waiting for it to start again",
        "of the next",
    ]
    assert sum("follow-logs" in line for line in fake.lines("gpu2")) == 3


def test_a_container_that_is_awaited(fake: FakeFleet) -> None:
    fake.on("gpu2", "find", Output(0, "\x1e\n"), Output(0, "\x1e\n"), container())
    shown = told(fake, "gpu2")
    assert "gpu2: no container is there; waiting for one" in shown
    assert "gpu2: a new container is there" in shown


def test_a_log_that_docker_does_not_give_is_told_of_with_dockers_words(fake: FakeFleet) -> None:
    fake.streams("gpu2", "follow-logs", "Error: the log driver does not support reading", Output(1))
    words = "gpu2: its log cannot be read: exit code 1; trying again"
    assert told(fake, words).count(words) == 1


def test_a_host_that_falls_silent_is_asked_whether_it_is_still_there(fake: FakeFleet) -> None:
    fake.timeouts = replace(HURRIED, log_quiet=0.1)
    silent = Failure(FailureKind.UNREACHABLE, "gpu2 does not answer any more")
    fake.on("gpu2", "find", container(), silent, silent, container())
    shown = told(fake, "gpu2: answers again")
    assert shown.count("gpu2: gpu2 does not answer any more; trying again") == 1
    assert shown.count("gpu2: answers again") == 1


def test_a_host_that_says_nothing_but_answers_is_asked_no_more_often_than_that(fake: FakeFleet) -> None:
    fake.timeouts = replace(HURRIED, log_quiet=0.3)
    asked = list[float]()

    def find(_command: Command, _cancel: Event) -> Output | Failure:
        asked.append(monotonic())
        return container()

    fake.on("gpu2", "find", find)
    Feed(fake).until(lambda _: len(asked) > 4)
    assert all(later - sooner > 0.25 for sooner, later in pairwise(asked))


def test_a_host_that_was_away_for_days_is_still_tried(fake: FakeFleet) -> None:
    cancel, said = Event(), list[object]()

    def away_until_we_leave(_command: Command, _cancel: Event) -> Output | Failure:
        cancel.set()
        return LOST

    fake.on("gpu2", "find", away_until_we_leave)
    node = DEMO.workers[0]
    host = host_follower.Follower(
        DEMO, node, ContainerLog(node, "all", ""), fake["gpu2"], said.append, cancel
    )
    host._failures = 100_000  # noqa: SLF001 - nobody waits for so many
    host.run()
    assert host.begun.is_set()


def test_a_host_says_no_more_than_is_read(fake: FakeFleet) -> None:
    said_all, lines = Event(), [f"line {number}" for number in range(20)]

    def then_nothing(command: Command, cancel: Event) -> Output | Failure:
        said_all.set()
        return held(command, cancel)

    fake.streams("gpu2", "follow-logs", *(at(2, line) for line in lines), then_nothing)
    reader = Feed(fake, most=4)
    reader.until(lambda told: len(of_gpu2(told)) > 0, go_on=True)
    assert not said_all.is_set()
    assert of_gpu2(reader.until(lambda told: lines[-1] in told)) == lines


def test_leaving_ends_every_command(fake: FakeFleet) -> None:
    ended = list[str]()

    def stays(host: str) -> Callable[[Command, Event], Answer]:
        def run(command: Command, cancel: Event) -> Answer:
            answer = held(command, cancel)
            ended.append(host)
            return answer

        return run

    for host in ("gpu1", "gpu2"):
        fake.streams(host, "follow-logs", at(1, host), stays(host))
    Feed(fake).until(lambda told: {"gpu1", "gpu2"} <= set(told))
    assert set(ended) == {"gpu1", "gpu2"}
