"""What is told of two sights of a cluster, one after the other."""

from dataclasses import replace

import pytest

from orchestrator.plan.facts.containers import container_of
from orchestrator.plan.facts.host import Facts, RayTrouble, Unreachable
from orchestrator.plan.remedies import docker_problem
from orchestrator.plan.status.snapshot import ClusterSnapshot, HostPending, RayPending, events, snapshot
from tests.plan.worlds import (
    NOW,
    bare,
    cluster,
    ray_node,
    standing,
    with_container,
    with_host,
    with_table,
)

DEMO = cluster()
ALL = standing(DEMO)
ONE, TWO, THREE = (ray_node(node) for node in DEMO.nodes)
GONE = RayTrouble("nothing listens on 10.0.0.1:6379", gone=True)


def seen(facts: Facts, last: ClusterSnapshot | None = None) -> ClusterSnapshot:
    """A sight after another, whose containers are remembered where a host is lost."""
    found = {
        node.name: container_of(DEMO, node, facts[node.name])
        for node in DEMO.nodes
        if not silent(facts, node.name)
    }
    return snapshot(DEMO, facts, {}, {}, {**(last.containers if last else {}), **found})


def silent(facts: Facts, host: str) -> bool:
    return isinstance(facts[host], Unreachable)


def told(before: Facts, after: Facts) -> list[str]:
    """The events as lines."""
    first = seen(before)
    return [f"{each.host} {each.text}".strip() for each in events(first, seen(after, first))]


def lost(facts: Facts, host: str = "gpu2") -> Facts:
    return facts | {host: Unreachable("10.0.0.2:22 does not answer")}


def test_where_nothing_has_changed_nothing_has_happened() -> None:
    assert told(ALL, ALL) == []


def test_a_host_that_is_lost_is_told_with_the_reason_and_when_it_can_be_asked_again() -> None:
    assert told(ALL, lost(ALL)) == ["gpu2 lost: 10.0.0.2:22 does not answer", "is degraded"]
    assert told(lost(ALL), ALL) == ["gpu2 can be asked again", "is healthy"]


def test_a_docker_that_does_not_answer_is_a_host_that_cannot_be_asked() -> None:
    stopped = with_host(ALL, "gpu2", docker=docker_problem(1, "Cannot connect to the Docker daemon"))
    assert told(ALL, stopped)[0] == "gpu2 lost: Cannot connect to the Docker daemon"


def test_what_befell_a_container_while_its_host_was_lost_is_told_when_it_returns() -> None:
    again = with_container(ALL, "gpu2", started=NOW - 5)
    first = seen(ALL)
    second = seen(lost(ALL), first)
    assert "its container was restarted" in [each.text for each in events(second, seen(again, second))]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"running": False, "status": "exited", "exit_code": 137}, "its container exited with code 137"),
        (
            {"running": False, "status": "exited", "exit_code": 137, "oom_killed": True},
            "its container exited with code 137 (out of memory)",
        ),
        ({"started": NOW - 5, "restarts": 1}, "its container was restarted"),
        ({"started": NOW - 5, "restarts": 3}, "its container was restarted, 3 times in all"),
        ({"status": "paused"}, "its container is paused"),
        ({"id": "another"}, "its container was replaced"),
    ],
)
def test_what_befalls_a_container(changes: dict[str, object], text: str) -> None:
    assert f"gpu2 {text}" in told(ALL, with_container(ALL, "gpu2", **changes))


def test_a_container_that_is_removed_made_and_started_again() -> None:
    without = with_host(ALL, "gpu2", docker=())
    ended = with_container(ALL, "gpu2", running=False, status="exited", exit_code=1)
    assert "gpu2 its container was removed" in told(ALL, without)
    assert "gpu2 its container was made" in told(without, ALL)
    assert "gpu2 its container runs again" in told(ended, with_container(ALL, "gpu2", started=NOW - 5))


def test_a_node_that_ray_loses_and_lists_again() -> None:
    dead = replace(TWO, alive=False, death="health check failed")
    with_it, without = with_table(ALL, ONE, TWO), with_table(ALL, ONE, dead)
    assert "gpu2 Ray has lost it: 'health check failed'" in told(with_it, without)
    assert "gpu2 joined Ray" in told(without, with_it)


def test_a_new_node_beside_the_one_that_ray_has_not_missed_yet_has_joined() -> None:
    new = replace(TWO, started=NOW - 1)
    assert "gpu2 joined Ray" in told(with_table(ALL, TWO), with_table(ALL, TWO, new))
    later = told(with_table(ALL, TWO, new), with_table(ALL, replace(TWO, alive=False), new))
    assert not [line for line in later if "lost" in line]


def test_a_head_that_does_not_answer_is_told_once_and_not_again_for_each_worker() -> None:
    silent = with_host(ALL, "gpu1", ray=GONE)
    assert told(ALL, silent) == [f"gpu1 Ray on it does not answer: {GONE.text}", "is degraded"]
    assert told(silent, ALL) == ["gpu1 Ray on it answers", "is healthy"]


def test_what_has_no_words_of_its_own_is_told_by_the_hosts_verdict() -> None:
    few = with_table(ALL, ONE, replace(TWO, accelerators=(("GPU", 4),)), THREE)
    assert told(ALL, few) == ["gpu2 is degraded: Ray sees 4 of its 8 GPUs", "is degraded"]


def test_a_whole_cluster_that_goes() -> None:
    gone = told(ALL, bare(DEMO))
    assert [line for line in gone if "removed" in line] == [
        f"gpu{n} its container was removed" for n in (1, 2, 3)
    ]
    assert gone[-1] == "is down"


def test_who_has_not_had_the_time_to_answer_is_pending_and_so_is_ray_on_the_head() -> None:
    assert seen(ALL | {"gpu3": HostPending()}).pending == ("gpu3",)
    assert seen(with_host(ALL, "gpu1", ray=RayPending())).pending == ("gpu1",)
    assert seen(ALL).pending == seen(with_host(bare(DEMO), "gpu1", ray=RayPending())).pending == ()
