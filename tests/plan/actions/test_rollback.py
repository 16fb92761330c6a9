"""What is removed after a failed `up`."""

import pytest

from orchestrator.plan.actions.rollback import FailedRun, Undo, plan_rollback
from orchestrator.plan.steps import StepKind
from tests.plan.worlds import cluster, outline

BOTH = frozenset({"gpu1", "gpu2"})


def test_after_a_workers_failure_its_log_is_read_and_its_own_container_removed() -> None:
    demo = cluster()
    plan = plan_rollback(demo, FailedRun(frozenset({"gpu1", "gpu2", "gpu3"}), frozenset({"gpu3"})))
    assert outline(plan) == [
        ("Read logs", ["gpu3: read its container's log"]),
        ("Clean up", ["gpu3: remove its container", "gpu3: remove Ray's token"]),
    ]


def test_after_the_heads_failure_or_ctrl_c_all_that_was_started_is_removed() -> None:
    demo = cluster()
    started = frozenset({"gpu1", "gpu2"})
    removed = {"gpu1: remove its container", "gpu2: remove its container"}
    assert removed <= set(outline(plan_rollback(demo, FailedRun(started, frozenset({"gpu1"}))))[-1][1])
    assert removed <= set(
        outline(plan_rollback(demo, FailedRun(started, frozenset(), interrupted=True)))[-1][1]
    )


def test_workers_stay_when_a_head_that_stood_before_could_only_not_be_asked() -> None:
    demo = cluster()
    wreck = FailedRun(started=frozenset({"gpu2", "gpu3"}), failed=frozenset({"gpu1"}))
    assert plan_rollback(demo, wreck).phases == ()


def test_a_host_on_which_nothing_was_started_is_left_as_it_was() -> None:
    demo = cluster()
    assert plan_rollback(demo, FailedRun(frozenset(), frozenset({"gpu2"}))).phases == ()


def removes(wreck: FailedRun, undo: Undo) -> set[str]:
    plan = plan_rollback(cluster(), wreck, undo)
    return {step.host for step in plan if step.kind is StepKind.REMOVE_CONTAINER}


def reads(wreck: FailedRun, undo: Undo) -> set[str]:
    plan = plan_rollback(cluster(), wreck, undo)
    return {step.host for step in plan if step.kind is StepKind.READ_LOG}


def test_rollback_removes_all_that_the_run_started_when_anything_failed() -> None:
    assert removes(FailedRun(BOTH, frozenset({"gpu2"})), Undo.ALL) == BOTH
    assert removes(FailedRun(BOTH, frozenset({"gpu3"})), Undo.ALL) == BOTH
    assert removes(FailedRun(BOTH, frozenset()), Undo.ALL) == set()


@pytest.mark.parametrize(
    "wreck",
    [
        FailedRun(BOTH, frozenset({"gpu1"})),
        FailedRun(BOTH, frozenset({"gpu2"})),
        FailedRun(BOTH, BOTH, interrupted=True),
    ],
)
def test_keep_removes_nothing_and_still_reads_what_failed_containers_said(wreck: FailedRun) -> None:
    assert removes(wreck, Undo.NOTHING) == set()
    assert reads(wreck, Undo.NOTHING) == wreck.failed
