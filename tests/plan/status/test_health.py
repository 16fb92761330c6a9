"""The four facts and the verdict, from what was seen."""

from dataclasses import replace

import pytest

from orchestrator.plan.facts.host import RayTrouble, Unreachable
from orchestrator.plan.remedies import docker_problem, format_duration
from orchestrator.plan.status.health import HostHealth, Verdict, assess
from orchestrator.plan.typed import there
from tests.plan.worlds import (
    NOW,
    bare,
    cluster,
    container,
    node,
    ray_node,
    standing,
    with_container,
    with_host,
    with_table,
)

DEMO = cluster()


def host(health_of: object, name: str) -> HostHealth:
    hosts: tuple[HostHealth, ...] = health_of.hosts  # type: ignore[attr-defined]
    return next(each for each in hosts if each.name == name)


def test_all_four_facts_on_every_host_are_healthy() -> None:
    health = assess(DEMO, standing(DEMO))
    assert health.verdict is Verdict.HEALTHY
    assert health.ray_version == "2.60.0"
    gpu2 = host(health, "gpu2")
    assert (gpu2.container, gpu2.ray, gpu2.joined, gpu2.gpus, gpu2.gpus_expected) == (
        "running",
        True,
        True,
        8,
        8,
    )
    assert (gpu2.uptime, gpu2.trouble) == (60, "")


def test_nothing_anywhere_is_down() -> None:
    health = assess(DEMO, bare(DEMO))
    assert health.verdict is Verdict.DOWN
    assert {each.container for each in health.hosts} == {"missing"}


def test_a_killed_worker_degrades_the_cluster_and_is_told_with_code_and_time() -> None:
    facts = with_container(
        standing(DEMO), "gpu2", running=False, status="exited", exit_code=137, finished=NOW - 30
    )
    health = assess(DEMO, facts)
    assert health.verdict is Verdict.DEGRADED
    gpu2 = host(health, "gpu2")
    assert (gpu2.verdict, gpu2.container, gpu2.ray, gpu2.joined) == (
        Verdict.DOWN,
        "exited (137)",
        False,
        False,
    )
    assert gpu2.trouble == "its container exited with code 137, 30 s ago"


def test_out_of_memory_is_said() -> None:
    facts = with_container(
        standing(DEMO),
        "gpu2",
        running=False,
        status="exited",
        exit_code=137,
        oom_killed=True,
        finished=NOW - 30,
    )
    assert (
        host(assess(DEMO, facts), "gpu2").trouble
        == "its container exited with code 137 (out of memory), 30 s ago"
    )


def test_up_but_not_joined_is_its_own_state_with_rays_reason() -> None:
    lost = ray_node(node(2), alive=False, death="missed too many heartbeats")
    health = assess(DEMO, with_table(standing(DEMO), ray_node(DEMO.head), ray_node(node(3)), lost))
    gpu2 = host(health, "gpu2")
    assert (gpu2.verdict, gpu2.ray, gpu2.joined) == (Verdict.DEGRADED, True, False)
    assert gpu2.trouble == "up for 60 s but not joined: Ray says 'missed too many heartbeats'"


def test_a_container_up_without_ray_is_told_apart() -> None:
    facts = with_host(standing(DEMO), "gpu2", processes=frozenset({"bash"}))
    health = assess(DEMO, with_table(facts, ray_node(DEMO.head), ray_node(node(3))))
    assert host(health, "gpu2").trouble == "its container has run for 60 s, but no Ray runs in it"


def test_the_ghost_of_a_killed_node_does_not_make_its_successor_joined() -> None:
    ghost = ray_node(node(2), started=NOW - 600)
    health = assess(DEMO, with_table(standing(DEMO), ray_node(DEMO.head), ray_node(node(3)), ghost))
    assert host(health, "gpu2").joined is False


def test_too_few_gpus_degrade() -> None:
    health = assess(
        DEMO,
        with_table(
            standing(DEMO),
            ray_node(DEMO.head),
            ray_node(node(2), accelerators=(("GPU", 4),)),
            ray_node(node(3)),
        ),
    )
    assert health.verdict is Verdict.DEGRADED
    assert host(health, "gpu2").trouble == "Ray sees 4 of its 8 GPUs"


def test_a_silent_worker_is_unknown_and_the_cluster_degraded() -> None:
    health = assess(DEMO, standing(DEMO) | {"gpu2": Unreachable("no route to host", "plug it in", "in vain")})
    assert health.verdict is Verdict.DEGRADED
    gpu2 = host(health, "gpu2")
    assert (gpu2.verdict, gpu2.container) == (Verdict.UNKNOWN, None)
    assert (gpu2.trouble, gpu2.fix, gpu2.detail) == ("no route to host", "plug it in", "in vain")


def test_a_silent_head_makes_the_cluster_unknown() -> None:
    health = assess(DEMO, standing(DEMO) | {"gpu1": Unreachable("no route to host")})
    assert health.verdict is Verdict.UNKNOWN
    assert host(health, "gpu2").joined is None


def test_a_silent_worker_among_hosts_that_have_nothing_is_not_called_down() -> None:
    assert assess(DEMO, bare(DEMO) | {"gpu2": Unreachable("no route")}).verdict is Verdict.UNKNOWN


def test_a_host_whose_docker_is_stopped_is_unknown_with_the_remedy() -> None:
    trouble = docker_problem(1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")
    gpu2 = host(assess(DEMO, with_host(standing(DEMO), "gpu2", docker=trouble)), "gpu2")
    assert gpu2.verdict is Verdict.UNKNOWN
    assert gpu2.fix == there("sudo systemctl start docker")


def test_a_head_that_gives_no_answer_leaves_joining_unknown() -> None:
    facts = with_host(standing(DEMO), "gpu1", ray=RayTrouble("timed out", gone=False))
    health = assess(DEMO, facts)
    assert health.verdict is Verdict.DEGRADED
    assert host(health, "gpu2").joined is None
    assert host(health, "gpu2").trouble == "Ray on the head does not answer: timed out"


def test_a_container_of_that_name_that_is_not_ours_is_said() -> None:
    foreign = container(DEMO, node(2), cluster="")
    gpu2 = host(assess(DEMO, with_host(standing(DEMO), "gpu2", docker=(foreign,))), "gpu2")
    assert gpu2.trouble == "a container named raycluster-demo-gpu2 is there that is not this cluster's"


def test_a_node_in_ray_that_is_not_in_the_file_degrades_and_is_named() -> None:
    stranger = ray_node(node(9))
    nodes = (ray_node(each) for each in DEMO.nodes)
    health = assess(DEMO, with_table(standing(DEMO), *nodes, stranger))
    assert health.verdict is Verdict.DEGRADED
    assert health.notes == ("Ray lists a node at 10.0.0.9 that is not in the inventory",)


def test_a_container_of_this_cluster_that_is_not_in_the_file_is_named() -> None:
    stray = container(DEMO, node(2), name="raycluster-demo-gpu9")
    facts = with_host(standing(DEMO), "gpu2", docker=(container(DEMO, node(2)), stray))
    assert assess(DEMO, facts).notes == (
        "gpu2 also runs raycluster-demo-gpu9 of this cluster, which is not in the inventory",
    )


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172800, "2 d")]
)
def test_ages_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said


def test_a_host_that_ray_still_lists_but_on_which_no_ray_runs_is_not_healthy() -> None:
    health = assess(DEMO, with_host(standing(DEMO), "gpu2", processes=frozenset({"bash"})))
    assert health.verdict is Verdict.DEGRADED
    assert host(health, "gpu2").trouble == "its container has run for 60 s, but no Ray runs in it"


def test_a_container_that_left_the_file_keeps_the_cluster_from_being_called_down() -> None:
    stray = container(DEMO, node(2), name="raycluster-demo-gpu9")
    assert assess(DEMO, with_host(bare(DEMO), "gpu2", docker=(stray,))).verdict is Verdict.DEGRADED


def test_a_silent_host_whose_address_is_not_known_is_not_taken_for_a_stranger() -> None:
    demo = cluster(workers=1)
    nameless = node(2, ip=None, network="10.0.0.0/24")
    facts = standing(demo) | {"gpu2": Unreachable("no route to host")}
    assert assess(replace(demo, workers=(nameless,)), facts).notes == ()
