"""How the ranks of a deep check are started, heard and ended, on hosts that are not there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event

import pytest

from orchestrator.plan.command import Command
from orchestrator.plan.facts.network_test import Rank, Stage
from orchestrator.remote.execute.events import Happening, HostSeen, LookBegan, Tell
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe import network_test
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.plan import ranks
from tests.plan.checks.samples import good
from tests.plan.worlds import cluster
from tests.remote.fakes import Answer, FakeFleet, reached

DEMO = cluster()
WELL = {"gpu1": ranks.through(1, 2), "gpu2": ranks.through(2), "gpu3": ranks.through()}


@dataclass
class Hosts:
    """Hosts on which each rank tells its lines and stays until it is ended."""

    fake: FakeFleet = field(default_factory=FakeFleet)
    ended: set[str] = field(default_factory=set)
    cancel: Event = field(default_factory=Event)
    heard: list[Happening] = field(default_factory=list)
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(rank_grace=0.3))

    def rank(self, host: str, *told: str | Event | Output | Failure) -> None:
        def stays(_command: Command, cancel: Event) -> Answer:
            assert reached(cancel), "its standard input never ended"
            self.ended.add(host)
            return Failure(FailureKind.CANCELLED, "cancelled")

        self.fake.streams(host, "raydeep-", *told, stays)

    def measure(self) -> Mapping[str, Rank]:
        return self.measured(self.heard.append)

    def measured(self, tell: Tell) -> Mapping[str, Rank]:
        with Fleet(DEMO, lambda node, _: self.fake[node.name], self.fake.jobs, self.timeouts) as fleet:
            return network_test.measure(DEMO, good(DEMO), fleet, tell, self.cancel)


@pytest.fixture
def hosts() -> Hosts:
    made = Hosts()
    for host, lines in WELL.items():
        made.rank(host, *lines)
    return made


def test_all_are_heard_to_the_end_and_then_ended(hosts: Hosts) -> None:
    told = hosts.measure()
    assert {host: rank.stage for host, rank in told.items()} == dict.fromkeys(WELL, Stage.DONE)
    assert [len(rank.pairs) for rank in told.values()] == [2, 1, 0]
    assert hosts.ended == set(WELL)


def test_each_rank_is_told_its_number_the_heads_address_and_its_partners(hosts: Hosts) -> None:
    hosts.measure()
    given = {each.host: each.command.argv[-7:] for each in hosts.fake.sent}
    assert given == {
        "gpu1": ("0", "3", "10.0.0.1", "10.0.0.1", "19998", "1", "2"),
        "gpu2": ("1", "3", "10.0.0.2", "10.0.0.1", "19998", "0", "2"),
        "gpu3": ("2", "3", "10.0.0.3", "10.0.0.1", "19998", "0", "1"),
    }


def test_people_see_how_far_each_host_is(hosts: Hosts) -> None:
    hosts.measure()
    assert hosts.heard[0] == LookBegan(("gpu1", "gpu2", "gpu3"), "Measure the network", "imports torch")
    of_gpu3 = [
        each.what for each in hosts.heard[1:] if isinstance(each, LookBegan) and each.hosts == ("gpu3",)
    ]
    assert of_gpu3 == ["waits for the others", "all-reduce", "measures in pairs"]
    assert HostSeen("gpu3", "", "measured") in hosts.heard


def test_one_without_torch_ends_them_all_without_waiting_for_the_others_patience(hosts: Hosts) -> None:
    for host in ("gpu1", "gpu2"):
        hosts.rank(host, ranks.ready(), ranks.JOINED)
    hosts.rank("gpu3", ranks.line("no-torch", why="No module named 'torch'"))
    told = hosts.measure()
    assert (told["gpu3"].no_torch, told["gpu1"].stage) == ("No module named 'torch'", Stage.JOINED)
    assert hosts.ended == set(WELL)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (Output(137), "exit code 137"),
        (Output(125, stderr="no space left\n"), "no space left"),
        (Failure(FailureKind.UNREACHABLE, "does not answer any more"), "does not answer any more"),
    ],
)
def test_one_that_ends_before_the_others_is_told_with_its_words(
    hosts: Hosts, end: Output | Failure, words: str
) -> None:
    hosts.rank("gpu1", *WELL["gpu1"][:4])
    hosts.rank("gpu2", *WELL["gpu2"][:4])
    hosts.rank("gpu3", *WELL["gpu3"][:4], end)
    told = hosts.measure()
    assert {host: rank.ended for host, rank in told.items()} == {"gpu1": "", "gpu2": "", "gpu3": words}
    assert HostSeen("gpu3", words, "measured") in hosts.heard


def test_what_the_others_have_to_say_of_a_loss_is_waited_for(hosts: Hosts) -> None:
    hosts.timeouts = Timeouts(rank_grace=20.0)
    lost = Event()

    def says_so(happening: Happening) -> None:
        hosts.heard.append(happening)
        if isinstance(happening, HostSeen) and happening.host == "gpu1":
            lost.set()

    hosts.rank("gpu1", *WELL["gpu1"][:3], ranks.failed("all-reduce", "reset", lost=(2,)))
    hosts.rank("gpu2", *WELL["gpu2"][:3], lost, ranks.failed("all-reduce", "reset", lost=(2,)))
    hosts.rank("gpu3", *WELL["gpu3"][:3], lost, Output(1))
    told = hosts.measured(says_so)
    assert told["gpu2"].trouble
    assert told["gpu3"].ended == "exit code 1"


@pytest.mark.parametrize(
    ("stage", "timeouts"),
    [
        (Stage.READY, Timeouts(rank_grace=0.3, rank_start=0.3)),
        (Stage.REACHED, Timeouts(rank_grace=0.3, rank_meet=0.3)),
        (Stage.DONE, Timeouts(rank_grace=0.3, rank_run=0.3)),
    ],
)
def test_one_that_does_not_come_so_far_in_time_is_given_up(
    hosts: Hosts, stage: Stage, timeouts: Timeouts
) -> None:
    hosts.timeouts = timeouts
    before = {Stage.READY: 0, Stage.REACHED: 2, Stage.DONE: 4}
    hosts.rank("gpu3", *WELL["gpu3"][: before[stage]])
    told = hosts.measure()
    assert told["gpu3"].stage < stage
    assert hosts.ended == set(WELL)


def test_a_cancel_ends_them_all_at_once(hosts: Hosts) -> None:
    hosts.rank("gpu3", ranks.ready())

    def cancels(happening: Happening) -> None:
        if isinstance(happening, LookBegan) and happening.hosts == ("gpu3",):
            hosts.cancel.set()

    hosts.measured(cancels)
    assert hosts.ended == set(WELL)


def test_a_stream_outlasts_all_that_may_be_waited_for() -> None:
    waited_for = sum(network_test.limits(DEFAULT).values()) + DEFAULT.rank_grace
    assert waited_for < network_test.longest(DEFAULT)
