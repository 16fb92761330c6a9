"""Which host's image goes to whom."""

from orchestrator.plan.actions.images import plan_copy
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.image import ImageInfo
from orchestrator.plan.steps import Plan
from tests.plan.worlds import cluster, outline

DEMO = cluster()
GPU1, GPU2, GPU3 = DEMO.nodes
ONE, OTHER = ImageInfo("sha256:one", size=10), ImageInfo("sha256:other")
SILENT = Unreachable("does not answer", "plug it in")


def refused(plan: Plan) -> dict[str, str]:
    return {each.host: each.problem.text for each in plan.refusals}


def test_the_first_host_that_has_one_gives_it_to_those_that_lack_it() -> None:
    plan = plan_copy("x:1", DEMO.nodes, DEMO.nodes, {"gpu1": None, "gpu2": ONE, "gpu3": OTHER})
    assert outline(plan) == [
        ("Copy the image", ["gpu1: load x:1 from gpu2", "gpu3: load x:1 from gpu2"]),
        ("Compare", ["gpu2: see what it has", "gpu1: see what it has", "gpu3: see what it has"]),
    ]
    feed = plan.phases[0].feed
    assert feed
    assert (feed.host, feed.command.line(), feed.size) == ("gpu2", "docker save x:1", 10)
    assert [change.what for change in plan.changes] == ["gets x:1 from gpu2"] * 2


def test_a_host_that_has_this_very_image_is_skipped() -> None:
    plan = plan_copy("x:1", DEMO.nodes, DEMO.nodes, dict.fromkeys(("gpu1", "gpu2", "gpu3"), ONE))
    assert (plan.phases, plan.refusals) == ((), ())


def test_the_source_that_was_asked_for_is_taken_though_others_have_one_too() -> None:
    plan = plan_copy("x:1", (GPU3,), DEMO.nodes, {"gpu1": ONE, "gpu2": None, "gpu3": OTHER})
    assert [change.host for change in plan.changes] == ["gpu1", "gpu2"]


def test_with_a_limit_only_those_get_it_and_the_source_need_not_be_one_of_them() -> None:
    plan = plan_copy("x:1", DEMO.nodes, (GPU3,), {"gpu1": ONE, "gpu2": SILENT, "gpu3": None})
    assert {step.host for step in plan.phases[0].steps} == {"gpu3"}
    assert plan.refusals == ()


def test_where_nobody_has_it_every_host_that_was_asked_is_named() -> None:
    plan = plan_copy("x:1", DEMO.nodes, DEMO.nodes, {"gpu1": None, "gpu2": SILENT, "gpu3": None})
    assert refused(plan) == {
        "gpu1": "has no image x:1",
        "gpu2": "does not answer",
        "gpu3": "has no image x:1",
    }


def test_a_target_that_could_not_be_asked_is_a_failure_by_name_and_the_others_get_it() -> None:
    plan = plan_copy("x:1", DEMO.nodes, DEMO.nodes, {"gpu1": ONE, "gpu2": SILENT, "gpu3": None})
    assert refused(plan) == {"gpu2": "does not answer"}
    assert {step.host for step in plan.phases[0].steps} == {"gpu3"}
