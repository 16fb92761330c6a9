"""What `restart` does, from what was seen on the hosts."""

from dataclasses import replace

from orchestrator.plan.actions.restart import concerned, plan_restart
from orchestrator.plan.facts.host import Listener, Unreachable
from orchestrator.plan.steps import OnFailure, Plan, Run
from tests.plan.worlds import (
    SEALED,
    bare,
    cluster,
    container,
    node,
    outline,
    standing,
    with_container,
    with_host,
)

GPU2 = frozenset({"gpu2"})


def tokens(plan: Plan) -> dict[str, object]:
    """The token that each host is given."""
    steps = (step for step in plan if isinstance(step, Run) and step.title == "write Ray's token")
    return {step.host: step.command.stdin[0] for step in steps}


def on_failure(plan: Plan) -> list[tuple[str, OnFailure]]:
    return [(phase.title, phase.on_failure) for phase in plan.phases]


def test_all_is_stopped_before_anything_is_started_and_in_the_order_of_down_and_up() -> None:
    demo = cluster(workers=1)
    assert outline(plan_restart(demo, standing(demo), SEALED)) == [
        ("Stop the workers", ["gpu2: stop and remove its container", "gpu2: remove Ray's token"]),
        ("Stop the head", ["gpu1: stop and remove its container", "gpu1: remove Ray's token"]),
        ("Look again", ["gpu1: verify that nothing is left", "gpu2: verify that nothing is left"]),
        (
            "Start the head",
            [
                "gpu1: write Ray's token",
                "gpu1: start its container",
                "gpu1: wait for its GCS on port 6379",
            ],
        ),
        (
            "Join the workers",
            [
                "gpu1: wait until Ray lists it",
                "gpu2: reach the head at 10.0.0.1:6379",
                "gpu2: write Ray's token",
                "gpu2: start its container",
                "gpu2: wait until Ray lists it",
            ],
        ),
    ]


def test_a_worker_alone_is_restarted_beside_the_others_with_the_token_of_the_head_that_stays() -> None:
    demo = cluster()
    plan = plan_restart(demo, standing(demo), SEALED, GPU2)
    assert [change.host for change in plan.changes] == ["gpu2"]
    assert {step.host for step in plan if isinstance(step, Run)} == {"gpu2"}
    assert {host: str(token) for host, token in tokens(plan).items()} == {"gpu2": "<ray-token>"}
    assert tokens(plan)["gpu2"] != SEALED.token


def test_a_restarted_cluster_gets_a_token_of_its_own() -> None:
    demo = cluster()
    assert set(tokens(plan_restart(demo, standing(demo), SEALED)).values()) == {SEALED.token}


def test_no_worker_outlives_its_head() -> None:
    demo = cluster()
    assert concerned(demo, frozenset({"gpu1"})) == {"gpu1", "gpu2", "gpu3"}
    assert concerned(demo, GPU2) == GPU2
    assert concerned(demo, None) == {"gpu1", "gpu2", "gpu3"}


def test_an_image_that_is_missing_is_fetched_before_anything_stops() -> None:
    demo = cluster()
    plan = plan_restart(demo, with_host(standing(demo), "gpu3", image_id=""), SEALED)
    assert on_failure(plan)[:2] == [
        ("Get the image", OnFailure.STOP),
        ("Stop the workers", OnFailure.DROP_HOST),
    ]


def test_a_host_whose_container_would_not_go_gets_no_second_one() -> None:
    demo = cluster()
    stops = on_failure(plan_restart(demo, standing(demo), SEALED))[:3]
    assert stops == [
        (title, OnFailure.DROP_HOST) for title in ("Stop the workers", "Stop the head", "Look again")
    ]


def test_what_could_not_start_again_is_not_stopped() -> None:
    demo = cluster()
    elsewhere = with_host(standing(demo), "gpu2", addresses=())
    plan = plan_restart(demo, elsewhere, SEALED)
    assert [refusal.host for refusal in plan.refusals] == ["gpu2"]
    assert {step.host for step in plan} == {"gpu1", "gpu3"}


def test_with_a_head_that_cannot_be_asked_nothing_is_done() -> None:
    demo = cluster()
    plan = plan_restart(demo, standing(demo) | {"gpu1": Unreachable("no route to host")}, SEALED)
    assert (plan.phases, [refusal.problem.text for refusal in plan.refusals]) == ((), ["no route to host"])


def test_a_worker_of_a_head_that_is_gone_is_not_restarted_alone() -> None:
    demo = cluster()
    plan = plan_restart(demo, with_host(standing(demo), "gpu1", docker=(), token=None), SEALED, GPU2)
    assert plan.phases == ()
    assert [refusal.host for refusal in plan.refusals] == ["gpu1"]


def test_what_up_would_change_is_said() -> None:
    demo = cluster()
    edited = replace(demo, workers=(replace(node(2), env=(("NCCL_DEBUG", "INFO"),)), node(3)))
    whys = {change.host: change.what for change in plan_restart(edited, standing(demo), SEALED).changes}
    assert whys == {
        "gpu1": "new container",
        "gpu2": "new container: the inventory has changed: env NCCL_DEBUG",
        "gpu3": "new container",
    }


def test_what_has_no_container_gets_one() -> None:
    demo = cluster(workers=1)
    assert [title for title, _ in outline(plan_restart(demo, bare(demo), SEALED))] == [
        "Start the head",
        "Join the workers",
    ]


def test_ports_that_our_own_containers_hold_are_free_once_they_are_gone() -> None:
    demo = cluster()
    gcs = (Listener("*", 6379, "gcs_server"),)
    plan = plan_restart(demo, with_host(standing(demo), "gpu1", listeners=gcs), SEALED)
    assert (plan.refusals, plan.warnings) == ((), ())


def test_a_container_that_is_not_ours_is_left_and_keeps_its_name() -> None:
    demo = cluster()
    foreign = container(demo, node(2), cluster="other")
    plan = plan_restart(demo, with_host(standing(demo), "gpu2", docker=(foreign,)), SEALED)
    assert [refusal.host for refusal in plan.refusals] == ["gpu2"]


def test_an_ended_container_is_replaced_and_why_it_ended_is_said() -> None:
    demo = cluster()
    facts = with_container(standing(demo), "gpu2", running=False, status="exited", exit_code=137)
    changes = plan_restart(demo, facts, SEALED, GPU2).changes
    assert [change.what for change in changes] == ["new container: its container exited with code 137"]
