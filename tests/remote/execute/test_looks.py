"""Looks that waits of several plans share: one for all of a host, and everybody hears what is told of his own."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from orchestrator.plan.command import Command
from orchestrator.plan.steps import NotYet, OnFailure, Phase, Plan, Ready, Wait, WaitResult
from orchestrator.remote.execute.looks import Looks
from orchestrator.remote.execute.runner import execute
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.remote.fakes import Answer, FakeFleet


class Told:
    """Until a look tells its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, exit_code: int, stdout: str, watched: str) -> WaitResult:  # noqa: ARG002
        return Ready() if self.name in stdout.split() else NotYet("not told yet")


def plan(name: str, *hosts: str) -> Plan:
    one, several = Command(("look", name)), Command(("look",))
    waits = (Wait(host, "wait", one, Told(name), 60, 0.01, of=name, of_several=several) for host in hosts)
    return Plan("wait", (Phase("Wait", tuple(waits), OnFailure.STOP),))


def names(command: Command) -> str:
    """Whom a look is for."""
    return command.line().partition("look ")[2]


def carried_out(fleet: FakeFleet, *plans: Plan) -> list[bool]:
    looks = Looks(plans)
    with ThreadPoolExecutor(len(plans)) as pool:
        reports = [pool.submit(execute, each, fleet, lambda _: None, Event(), looks) for each in plans]
        return [each.result().ok for each in reports]


def test_one_look_is_for_all_and_who_is_told_of_is_no_longer_looked_for() -> None:
    fleet, tells = FakeFleet(), {"one two three": "two"}
    fleet.on("gpu1", "look", lambda command, _: Output(0, tells.get(names(command), names(command))))
    assert carried_out(fleet, plan("one", "gpu1"), plan("two", "gpu1"), plan("three", "gpu1")) == [True] * 3
    asked = [names(each.command) for each in fleet.sent]
    assert list(dict.fromkeys(asked))[:2] == ["one two three", "one three"]


def test_each_host_is_looked_at_by_itself() -> None:
    fleet = FakeFleet()
    fleet.on("gpu1", "look", Output(0, "one two"))
    fleet.on("gpu2", "look", Output(0, ""), Output(0, "two"))
    assert carried_out(fleet, plan("one", "gpu1"), plan("two", "gpu1", "gpu2")) == [True] * 2
    assert [names(each.command) for each in fleet.sent if each.host == "gpu2"] == ["two", "two"]


def test_a_look_that_fails_fails_all_that_share_it() -> None:
    fleet = FakeFleet()
    fleet.on("gpu1", "look", Failure(FailureKind.UNREACHABLE, "does not answer any more"))
    assert carried_out(fleet, plan("one", "gpu1"), plan("two", "gpu1")) == [False] * 2


def test_one_that_comes_later_waits_for_a_look_that_is_at_it() -> None:
    fleet, looks = FakeFleet(), Looks((plan("one", "gpu1"),))
    under_way, goes_on = Event(), Event()

    def slow(_command: Command, _cancel: Event) -> Answer:
        under_way.set()
        goes_on.wait(20)
        return Output(0, "one")

    fleet.on("gpu1", "look", slow, Output(0, "two"))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(execute, plan("one", "gpu1"), fleet, lambda _: None, Event(), looks)
        assert under_way.wait(20)
        second = pool.submit(execute, plan("two", "gpu1"), fleet, lambda _: None, Event(), looks)
        goes_on.set()
        assert (first.result().ok, second.result().ok) == (True, True)
    assert [names(each.command) for each in fleet.sent] == ["one", "two"]


def test_a_program_that_knows_one_name_only_is_asked_for_each() -> None:
    fleet, refused = (
        FakeFleet(),
        Output(1, stderr="TypeError: inspect() takes from 1 to 3 positional arguments"),
    )
    fleet.on(
        "gpu1", "look", lambda command, _: refused if " " in names(command) else Output(0, names(command))
    )
    assert carried_out(fleet, plan("one", "gpu1"), plan("two", "gpu1")) == [True] * 2


def test_whatever_else_fails_is_not_asked_a_second_time() -> None:
    fleet = FakeFleet()
    fleet.on("gpu1", "look", Output(1, stderr="container is not running"), Output(0, "one two"))
    assert carried_out(fleet, plan("one", "gpu1"), plan("two", "gpu1")) == [True] * 2
    assert [names(each.command) for each in fleet.sent][:2] == ["one two", "one two"]
