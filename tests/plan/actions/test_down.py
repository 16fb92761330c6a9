"""What `down` does, from what was seen on the hosts."""

from dataclasses import replace

from orchestrator.model.cluster import Cluster, Engine
from orchestrator.plan.actions.down import heard_meanwhile, left_behind, plan_down
from orchestrator.plan.facts.containers import unknown_hosts
from orchestrator.plan.facts.host import Facts, Unreachable
from orchestrator.plan.facts.offline import all_there
from orchestrator.plan.remedies import docker_problem
from orchestrator.plan.steps import OnFailure, Plan, Run, StepKind
from tests.plan.recordings import ray_told
from tests.plan.worlds import (
    bare,
    bare_host,
    cluster,
    container,
    node,
    outline,
    standing,
    with_container,
    with_host,
)


def test_workers_go_before_the_head_and_then_all_are_looked_at_again() -> None:
    demo = cluster(workers=1)
    assert outline(plan_down(demo, standing(demo))) == [
        ("Stop the workers", ["gpu2: stop and remove its container", "gpu2: remove Ray's token"]),
        ("Stop the head", ["gpu1: stop and remove its container", "gpu1: remove Ray's token"]),
        ("Look again", ["gpu1: verify that nothing is left", "gpu2: verify that nothing is left"]),
    ]


def not_asked(of: Cluster) -> Facts:
    """The cluster stands, and the look has not asked Ray."""
    return with_host(standing(of), "gpu1", ray=None)


def test_ray_is_asked_who_else_is_in_it_while_the_workers_stop_and_before_the_head_does() -> None:
    demo, alone = cluster(workers=1), cluster(workers=0)
    assert outline(plan_down(demo, not_asked(demo)))[0] == (
        "Stop the workers",
        [
            "gpu1: ask Ray for other nodes",
            "gpu2: stop and remove its container",
            "gpu2: remove Ray's token",
        ],
    )
    assert outline(plan_down(alone, not_asked(alone)))[:2] == [
        ("Ask Ray", ["gpu1: ask Ray for other nodes"]),
        ("Stop the head", ["gpu1: stop and remove its container", "gpu1: remove Ray's token"]),
    ]


def test_ray_is_asked_once_and_only_where_it_runs_and_the_whole_cluster_goes() -> None:
    demo = cluster()
    without = replace(demo, engine=Engine.MP)
    plans = (
        plan_down(demo, standing(demo)),
        plan_down(demo, not_asked(demo), frozenset({"gpu1", "gpu2", "gpu3"})),
        plan_down(demo, with_container(not_asked(demo), "gpu1", running=False)),
        plan_down(demo, not_asked(demo) | {"gpu1": Unreachable("off")}),
        plan_down(without, not_asked(without)),
        plan_down(demo, all_there(demo)),
    )
    assert not [step for plan in plans for step in plan if step.kind is StepKind.ASK_RAY]


def test_what_ray_told_meanwhile_is_named_with_the_line_that_removes_it_now_that_nobody_tells_of_it() -> None:
    demo, three = cluster(workers=1), cluster(workers=2)
    told = ray_told("10.0.0.1", "10.0.0.2", "10.0.0.3")
    facts = heard_meanwhile(demo, not_asked(demo), told)
    (other,) = unknown_hosts(demo, facts)
    there = facts | {other.name: bare_host(node(3), docker=(container(three, node(3)),))}
    (refusal,) = left_behind(demo, there)
    assert (refusal.host, refusal.problem.text) == (
        "10.0.0.3",
        "raycluster-demo-gpu3 of this cluster is there, which is not in the inventory",
    )
    assert refusal.problem.fix == "remove it: ssh 10.0.0.3 docker rm --force raycluster-demo-gpu3"
    (unsure,) = left_behind(demo, facts | {other.name: Unreachable("does not answer", "plug it in")})
    assert unsure.problem.text.endswith(
        "which is not in the inventory and could not be asked: does not answer"
    )
    assert (
        unsure.problem.fix
        == "look there: ssh 10.0.0.3 docker ps --all --filter label=raycluster.cluster=demo"
    )


def test_a_ray_that_told_nothing_meanwhile_leaves_nobody_to_look_at() -> None:
    demo = cluster(workers=1)
    assert unknown_hosts(demo, heard_meanwhile(demo, not_asked(demo), "")) == ()


def test_a_worker_that_fails_to_stop_keeps_no_other_host_from_being_visited() -> None:
    demo = cluster()
    assert {phase.on_failure for phase in plan_down(demo, standing(demo)).phases} == {OnFailure.KEEP_GOING}


def test_where_nothing_is_there_is_nothing_to_do() -> None:
    demo = cluster()
    assert plan_down(demo, bare(demo)) == Plan("take down cluster demo")


def test_a_container_without_the_clusters_label_is_not_touched_even_under_its_name() -> None:
    demo = cluster()
    foreign = container(demo, node(2), cluster="other")
    assert plan_down(demo, with_host(bare(demo), "gpu2", docker=(foreign,))).phases == ()


def test_a_container_of_a_host_that_left_the_inventory_goes_too() -> None:
    demo = cluster()
    stray = container(demo, node(2), name="raycluster-demo-gpu9")
    plan = plan_down(demo, with_host(bare(demo), "gpu2", docker=(stray,)))
    assert [(change.host, change.what) for change in plan.changes] == [
        ("gpu2", "raycluster-demo-gpu9 (running)")
    ]


def test_a_host_that_could_not_be_asked_is_a_failure_by_name() -> None:
    demo = cluster()
    facts = standing(demo) | {"gpu2": Unreachable("no route to host", "plug it in")}
    facts = with_host(facts, "gpu3", docker=docker_problem(1, "Cannot connect to the Docker daemon"))
    refused = {refusal.host: refusal.problem.text for refusal in plan_down(demo, facts).refusals}
    assert refused == {"gpu2": "no route to host", "gpu3": "Cannot connect to the Docker daemon"}


def test_limit_leaves_the_others_running() -> None:
    demo = cluster()
    plan = plan_down(demo, standing(demo), frozenset({"gpu3"}))
    assert {step.host for step in plan} == {"gpu3"}


def test_offline_supposes_a_container_on_every_host() -> None:
    demo = cluster()
    assert {step.host for step in plan_down(demo, all_there(demo))} == {"gpu1", "gpu2", "gpu3"}


def scripts(plan: Plan) -> dict[str, str]:
    """For each host, the script that removes its container."""
    steps = (step for step in plan if isinstance(step, Run) and "its container" in step.title)
    return {step.host: step.command.script for step in steps}


def test_workers_without_a_head_are_killed_since_they_would_drain_for_nobody() -> None:
    demo = cluster()
    facts = with_container(standing(demo), "gpu1", running=False, status="exited")
    assert scripts(plan_down(demo, facts)) == dict.fromkeys(("gpu1", "gpu2", "gpu3"), "discard")
    facts = with_host(standing(demo), "gpu1", docker=())
    assert scripts(plan_down(demo, facts)) == dict.fromkeys(("gpu2", "gpu3"), "discard")


def test_workers_whose_head_may_still_run_are_stopped_in_good_order() -> None:
    demo = cluster()
    assert set(scripts(plan_down(demo, standing(demo))).values()) == {"remove"}
    assert set(scripts(plan_down(demo, standing(demo) | {"gpu1": Unreachable("off")})).values()) == {"remove"}


def test_a_head_that_runs_under_its_former_name_is_a_head() -> None:
    demo = cluster()
    old = replace(container(demo, node(1)), name="raycluster-demo-former")
    assert "remove" in scripts(plan_down(demo, with_host(standing(demo), "gpu1", docker=(old,)))).values()
