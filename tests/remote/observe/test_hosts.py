"""Looking at the hosts: one command each, side by side, and what a host that cannot be asked becomes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from threading import Barrier, Event, Semaphore

import pytest

from orchestrator.model.cluster import Cluster
from orchestrator.payload import program
from orchestrator.plan.command import Command
from orchestrator.plan.facts.host import Depth, Facts, HostFacts, Unreachable
from orchestrator.remote.execute.events import Happening, HostSeen, LookBegan
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe.hosts import observe
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.plan.recordings import Said, answer, inspected
from tests.plan.worlds import arguments, cluster, node
from tests.remote.conftest import Start
from tests.remote.fakes import SOON, Answer, FakeFleet
from tests.remote.sshd import Laptop

DEMO = cluster()
BARE = Output(0, *answer())


@pytest.fixture
def fake() -> Iterator[FakeFleet]:
    fake = FakeFleet()
    fake.on("*", "observe", BARE)
    yield fake
    fake.check()


def looked(fake: FakeFleet, told: list[Happening] | None = None, of: Cluster = DEMO) -> Facts:
    with Fleet(of, lambda node, fleet: replace(fake[node.name], places=fleet.places), fake.jobs) as fleet:
        return observe(
            of, of.nodes, fleet, (told if told is not None else []).append, Event(), depth=Depth.RAY
        )


def test_each_host_is_sent_one_command_for_itself(fake: FakeFleet) -> None:
    looked(fake)
    given = {each.host: arguments(each.command) for each in fake.sent}
    assert len(fake.sent) == 3
    for name in ("gpu2", "gpu3"):
        own = {"docker": "docker", "cluster": "demo", "node": name, "container": f"raycluster-demo-{name}"}
        assert own.items() <= given[name].items()
        assert given[name]["image"] == DEMO.image


def test_the_head_alone_is_asked_for_ray_at_its_own_address(fake: FakeFleet) -> None:
    looked(fake)
    given = {each.host: arguments(each.command) for each in fake.sent}
    asked = {host: (its["gcs"], its["nodes"]) for host, its in given.items()}
    assert asked == {
        "gpu1": ("10.0.0.1:6379", program("ray_nodes")),
        "gpu2": ("", ""),
        "gpu3": ("", ""),
    }


def test_a_head_whose_address_is_not_known_yet_is_asked_on_loopback(fake: FakeFleet) -> None:
    looked(fake, of=cluster(workers=0, head=node(1, ip=None, network="10.0.0.0/24")))
    assert arguments(fake.sent[0].command)["gcs"] == "127.0.0.1:6379"


def test_hosts_are_looked_at_side_by_side(fake: FakeFleet) -> None:
    together = Barrier(3)

    def meet(_command: Command, _cancel: Event) -> Answer:
        together.wait(SOON)  # breaks unless all three are here at once
        return BARE

    fake.on("*", "observe", meet)
    assert all(isinstance(facts, HostFacts) for facts in looked(fake).values())


def test_no_more_hosts_are_looked_at_at_once_than_jobs_allow(fake: FakeFleet) -> None:
    fake.jobs, pair, at_work, most = 2, Barrier(2), Semaphore(0), []

    def meet(_command: Command, _cancel: Event) -> Answer:
        at_work.release()
        pair.wait(SOON)
        most.append(at_work._value)  # noqa: SLF001
        pair.wait(SOON)
        at_work.acquire()
        return BARE

    fake.on("*", "observe", meet)
    looked(fake, of=cluster(workers=3))
    assert max(most) == 2


def test_a_host_that_cannot_be_asked_is_silent_with_the_reason_and_the_remedy(fake: FakeFleet) -> None:
    fake.on("gpu2", "observe", Failure(FailureKind.UNREACHABLE, "no route to host", fix="plug it in"))
    facts = looked(fake)
    assert facts["gpu2"] == Unreachable("no route to host", "plug it in")
    assert isinstance(facts["gpu1"], HostFacts)


def test_an_answer_that_cannot_be_read_is_silent_with_the_hosts_complaint(fake: FakeFleet) -> None:
    fake.on("gpu2", "observe", Output(127, stderr="sh: command not found"))
    here = looked(fake)["gpu2"]
    assert isinstance(here, Unreachable)
    assert here.text.endswith("sh: command not found")


def test_listeners_hear_who_is_asked_and_how_each_host_answered(fake: FakeFleet) -> None:
    fake.on("gpu2", "observe", Failure(FailureKind.AUTH, "no key is accepted"))
    told: list[Happening] = []
    looked(fake, told)
    assert told[0] == LookBegan(("gpu1", "gpu2", "gpu3"))
    seen = {each.host: each.trouble for each in told if isinstance(each, HostSeen)}
    assert seen == {"gpu1": "", "gpu2": "no key is accepted", "gpu3": ""}


def test_the_facts_are_in_the_order_of_the_inventory(fake: FakeFleet) -> None:
    assert list(looked(fake)) == ["gpu1", "gpu2", "gpu3"]


def test_connections_are_closed_at_the_end(fake: FakeFleet) -> None:
    looked(fake)
    assert fake.closed == {"gpu1", "gpu2", "gpu3"}


@pytest.mark.sshd
def test_status_is_one_command_on_one_connection(laptop: Laptop, start: Start) -> None:
    server = start("127.0.0.2", "LogLevel VERBOSE")
    laptop.host("gpu1", server)
    laptop.knows(server)
    of = cluster(workers=0, head=node(1, host="gpu1"))
    with Fleet(of, lambda node, _: laptop.dial(node.host), jobs=1) as fleet:
        seen = observe(of, of.nodes, fleet, lambda _: None, Event(), depth=Depth.RAY)
    assert isinstance(seen["gpu1"], HostFacts), seen
    said = server.log()
    assert (said.count("Accepted publickey"), said.count("Starting session")) == (1, 1), said


def test_people_see_meanwhile_how_each_host_is(fake: FakeFleet) -> None:
    def seen(name: str, **state: object) -> Output:
        return Output(
            0, *answer(containers=Said(json.dumps([inspected(f"raycluster-demo-{name}", **state)])))
        )

    fake.on("gpu1", "observe", seen("gpu1"))
    fake.on(
        "gpu2", "observe", Output(0, *answer(containers=Said("", "Cannot connect to the Docker daemon", 1)))
    )
    told: list[Happening] = []
    looked(fake, told)
    assert {each.host: (each.trouble, each.what) for each in told if isinstance(each, HostSeen)} == {
        "gpu1": ("", "container running"),
        "gpu2": ("Cannot connect to the Docker daemon", "no container"),
        "gpu3": ("", "no container"),
    }
