"""What `down` does, from what was seen on the hosts."""

from dataclasses import replace

from orchestrator.plan.assumed import all_there
from orchestrator.plan.down import plan_down
from orchestrator.plan.facts import DockerTrouble, Silent
from orchestrator.plan.steps import OnFailure, Plan, Run
from tests.plan.worlds import bare, cluster, container, node, outline, standing, with_container, with_host


def test_workers_go_before_the_head_and_then_all_are_looked_at_again() -> None:
    demo = cluster(workers=1)
    assert outline(plan_down(demo, standing(demo))) == [
        ("Stop the workers", ["gpu2: stop and remove its container", "gpu2: forget Ray's token"]),
        ("Stop the head", ["gpu1: stop and remove its container", "gpu1: forget Ray's token"]),
        ("Look again", ["gpu1: see that nothing is left", "gpu2: see that nothing is left"]),
    ]


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
    facts = standing(demo) | {"gpu2": Silent("no route to host", "plug it in")}
    facts = with_host(facts, "gpu3", docker=DockerTrouble(1, "Cannot connect to the Docker daemon"))
    refused = {refusal.host: refusal.why for refusal in plan_down(demo, facts).refusals}
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
    steps = (step for step in plan if isinstance(step, Run) and "remove" in step.title)
    return {step.host: step.command.argv[3] for step in steps}


def test_workers_without_a_head_are_killed_since_they_would_drain_for_nobody() -> None:
    demo = cluster()
    facts = with_container(standing(demo), "gpu1", running=False, status="exited")
    assert scripts(plan_down(demo, facts)) == dict.fromkeys(("gpu1", "gpu2", "gpu3"), "discard")
    facts = with_host(standing(demo), "gpu1", docker=())
    assert scripts(plan_down(demo, facts)) == dict.fromkeys(("gpu2", "gpu3"), "discard")


def test_workers_whose_head_may_still_run_are_stopped_in_good_order() -> None:
    demo = cluster()
    assert set(scripts(plan_down(demo, standing(demo))).values()) == {"remove"}
    assert set(scripts(plan_down(demo, standing(demo) | {"gpu1": Silent("off")})).values()) == {"remove"}


def test_a_head_that_runs_under_its_former_name_is_a_head() -> None:
    demo = cluster()
    old = replace(container(demo, node(1)), name="raycluster-demo-former")
    assert "remove" in scripts(plan_down(demo, with_host(standing(demo), "gpu1", docker=(old,)))).values()
