"""A cluster is watched: what is heard of it, and how little is asked."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event

import pytest

from orchestrator.plan.status.health import Verdict
from orchestrator.plan.status.snapshot import ClusterSnapshot
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe.watcher import Watcher
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.plan.recordings import addresses, answer, ray_line, ray_row, standing, state
from tests.plan.worlds import cluster
from tests.remote.fakes import SOON, FakeFleet, reached

DEMO = cluster(workers=1)
DIE = json.dumps({"Type": "container", "Action": "die"})
UNREACHABLE = Failure(FailureKind.UNREACHABLE, "10.0.0.2:22 does not answer")
LOST = Failure(FailureKind.UNREACHABLE, "the connection to 10.0.0.2:22 was lost")
BOTH = ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2"))


def runs(number: int, **changes: object) -> Output:
    found = standing(f"raycluster-demo-gpu{number}", **changes)
    return Output(0, *answer(**found, addresses=addresses(("eth0", f"10.0.0.{number}"))))


def ended(number: int) -> Output:
    return runs(number, State=state(Status="exited", Running=False, ExitCode=137))


def looks(command: object) -> bool:
    return "observe" in command.argv  # type: ignore[attr-defined]


def listens(command: object) -> bool:
    return "watch" in command.argv and "bash" in command.argv  # type: ignore[attr-defined]


def asks_ray(command: object) -> bool:
    return "exec" in command.argv  # type: ignore[attr-defined]


HURRIED = Timeouts(snapshot_every=0.01, retry=(0.01,))


@pytest.fixture
def hosts() -> Iterator[FakeFleet]:
    """A head and a worker in good order, watched without the pauses that real ones are left."""
    fleet = FakeFleet(timeouts=HURRIED)
    for number in (1, 2):
        fleet.on(f"gpu{number}", looks, runs(number))
        fleet.streams(f"gpu{number}", listens, "alive")
    fleet.streams("gpu1", asks_ray, BOTH)
    yield fleet
    fleet.check()


def watched(
    hosts: FakeFleet, *steps: Callable[[ClusterSnapshot], bool], only: frozenset[str] | None = None
) -> ClusterSnapshot:
    """The sight that fulfils the last of the steps, each after the one before."""
    cancel, waiting = Event(), list(steps)
    with (
        Fleet(DEMO, lambda node, _: hosts[node.name], 4, hosts.timeouts) as fleet,
        Watcher(DEMO, fleet, cancel, only) as watch,
    ):
        for number, sight in enumerate(watch.sights()):
            if waiting[0](sight):
                waiting.pop(0)
            if not waiting:
                return sight
            assert number < SOON / HURRIED.snapshot_every, "it never came to be seen"
    raise AssertionError("it ended by itself")


def healthy(sight: ClusterSnapshot) -> bool:
    return sight.health.verdict is Verdict.HEALTHY


def of(sight: ClusterSnapshot, host: str) -> Verdict:
    return next(each.verdict for each in sight.health.hosts if each.name == host)


def test_who_has_not_answered_yet_is_pending_and_then_the_cluster_is_judged(hosts: FakeFleet) -> None:
    seen = Event()

    def slow(_command: object, _cancel: Event) -> Output:
        assert reached(seen)
        return runs(2)

    def asked(sight: ClusterSnapshot) -> bool:
        seen.set()
        return sight.pending != ()

    hosts.on("gpu2", looks, slow)
    assert watched(hosts, asked, healthy).pending == ()


def test_of_some_hosts_the_others_are_not_asked_but_for_the_head_which_is_not_judged(
    hosts: FakeFleet,
) -> None:
    sight = watched(hosts, healthy, only=frozenset({"gpu2"}))
    assert [(host.name, host.joined) for host in sight.health.hosts] == [("gpu2", True)]
    hosts.sent.clear()
    assert watched(hosts, healthy, only=frozenset({"gpu1"})).health.hosts[0].name == "gpu1"
    assert {each.host for each in hosts.sent} == {"gpu1"}


def test_a_host_to_which_nothing_happens_is_looked_at_once_and_listened_to_on_one_line(
    hosts: FakeFleet,
) -> None:
    watched(hosts, healthy, *[healthy] * 50)
    assert [looks(each.command) for each in hosts.sent if each.host == "gpu2"] == [True, False]
    assert len(hosts.lines("gpu1")) == 3


def test_an_event_of_docker_is_a_reason_to_look_again(hosts: FakeFleet) -> None:
    seen = Event()
    hosts.on("gpu2", looks, runs(2), ended(2))
    hosts.streams("gpu2", listens, "alive", seen, DIE)

    def then_it_dies(sight: ClusterSnapshot) -> bool:
        seen.set()
        return healthy(sight)

    sight = watched(hosts, healthy, then_it_dies, lambda sight: of(sight, "gpu2") is Verdict.DOWN)
    assert sight.health.hosts[1].container == "exited (137)"
    assert sight.health.verdict is Verdict.DEGRADED


def test_a_change_of_rays_node_table_is_a_reason_to_look_at_that_host(hosts: FakeFleet) -> None:
    seen = Event()
    hosts.on("gpu2", looks, runs(2), ended(2))
    hosts.streams(
        "gpu1", asks_ray, BOTH, seen, ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2", alive=False))
    )

    def then_ray_loses_it(sight: ClusterSnapshot) -> bool:
        seen.set()
        return healthy(sight)

    watched(hosts, healthy, then_ray_loses_it, lambda sight: of(sight, "gpu2") is Verdict.DOWN)
    assert sum(looks(each.command) for each in hosts.sent if each.host == "gpu1") == 1


def test_a_connection_that_is_lost_is_told_with_its_reason_and_made_again(hosts: FakeFleet) -> None:
    seen, back = Event(), Event()

    def look(_command: object, _cancel: Event) -> Output | Failure:
        return UNREACHABLE if seen.is_set() and not back.is_set() else runs(2)

    def breaks_once(_command: object, _cancel: Event) -> Output | Failure:
        hosts.streams("gpu2", listens, "alive")
        return LOST

    hosts.on("gpu2", looks, look)
    hosts.streams("gpu2", listens, "alive", seen, breaks_once)

    def cut(sight: ClusterSnapshot) -> bool:
        seen.set()
        return sight.health.hosts[1].trouble == UNREACHABLE.message

    def mend(sight: ClusterSnapshot) -> bool:
        assert sight.lost["gpu2"] > 0
        back.set()
        return True

    assert watched(hosts, healthy, cut, mend, healthy).lost == {}


def test_a_host_of_which_nothing_is_heard_is_lost_though_its_connection_stands(hosts: FakeFleet) -> None:
    """As behind a jump host, where a cable was cut."""
    hosts.timeouts = replace(HURRIED, host_quiet=0.2)
    hosts.on("gpu2", looks, runs(2), UNREACHABLE)
    watched(hosts, healthy, lambda sight: sight.health.hosts[1].trouble == UNREACHABLE.message)


@pytest.mark.parametrize("kind", [FailureKind.AUTH, FailureKind.HOST_KEY])
def test_a_host_that_refuses_us_is_not_asked_again_and_again(hosts: FakeFleet, kind: FailureKind) -> None:
    hosts.on("gpu2", looks, Failure(kind, "refuses every key"))
    settled = [lambda sight: not sight.pending] * 50
    assert of(watched(hosts, *settled), "gpu2") is Verdict.UNKNOWN
    assert len(hosts.lines("gpu2")) == 1


def test_the_gpus_are_those_of_the_last_whole_answer(hosts: FakeFleet) -> None:
    told = (
        "gpu 0, 97, 71834, 81559, 64, 612.41",
        "gpu 1, 0, 4, 81559, 30, 70.02",
        "alive",
        "gpu 0, 5, 4, 81559, 30, 70.0",
    )
    hosts.streams("gpu2", listens, *told)
    gpus = watched(hosts, healthy, lambda sight: "gpu2" in sight.gpus).gpus["gpu2"]
    assert [gpu if isinstance(gpu, str) else gpu.use for gpu in gpus] == [97, 0]


def test_a_node_table_that_nobody_tells_is_a_trouble_in_the_words_that_were_said(hosts: FakeFleet) -> None:
    hosts.streams("gpu1", asks_ray, Output(1, stderr="python3: not found"))
    sight = watched(hosts, lambda sight: not sight.pending)
    told = "Ray on the head does not answer: the look at its node table: python3: not found (exit code 1)"
    assert sight.health.hosts[1].trouble == told


def test_a_node_table_of_which_no_word_comes_is_not_believed_any_more(hosts: FakeFleet) -> None:
    """As of a GCS that hangs: its table would stay for ever as it was."""
    hosts.timeouts = replace(HURRIED, table_quiet=0.3)
    hosts.streams("gpu1", asks_ray, BOTH, "")
    mute = "Ray on the head does not answer: nothing has been told of its node table for 0 s"
    watched(hosts, healthy, lambda sight: sight.health.hosts[1].trouble == mute)
