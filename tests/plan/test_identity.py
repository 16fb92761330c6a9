"""What a plan means does not depend on its words: they are for people alone."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.cli.output.plan_script import script
from orchestrator.model.cluster import GetOn, Ray
from orchestrator.plan.actions import restart
from orchestrator.plan.actions.down import plan_down
from orchestrator.plan.actions.prune import plan_prune
from orchestrator.plan.actions.restart import plan_restart
from orchestrator.plan.actions.rollback import FailedRun, Undo, plan_rollback
from orchestrator.plan.actions.up import plan_up
from orchestrator.plan.command import Command, Script
from orchestrator.plan.facts.host import Facts
from orchestrator.plan.facts.image import ImageInfo
from orchestrator.plan.serving.plan import plan_serve, plan_unserve
from orchestrator.plan.steps import Plan, Wait
from tests.plan.rewording import plain, reworded
from tests.plan.serving.worlds import QWEN
from tests.plan.worlds import SEALED, bare, cluster, container, node, outline, standing, with_host


def without_images(facts: Facts) -> Facts:
    for host in facts:
        facts = with_host(facts, host, image_id="", base=ImageInfo("sha256:base"))
    return facts


DEMO = cluster()
ON_HEAD = replace(DEMO, ray=Ray(install="ray==2.56.*"), get_on=GetOn.HEAD)
HOSTS = frozenset({"gpu1", "gpu2", "gpu3"})
BESIDE = (container(DEMO, node(2)), container(DEMO, node(2), name="raycluster-demo-gpu9"))
PLANS = {
    "up": plan_up(DEMO, bare(DEMO), SEALED),
    "up after a change": plan_up(replace(DEMO, image="another"), standing(DEMO), SEALED),
    "up with an image to make": plan_up(ON_HEAD, without_images(bare(ON_HEAD)), SEALED),
    "down": plan_down(DEMO, with_host(standing(DEMO), "gpu1", ray=None)),
    "restart": plan_restart(DEMO, standing(DEMO), SEALED),
    "prune": plan_prune(DEMO, DEMO.nodes, with_host(standing(DEMO), "gpu2", docker=BESIDE)),
    "rollback": plan_rollback(DEMO, FailedRun(HOSTS, HOSTS), Undo.ALL),
    "serve": plan_serve(DEMO, standing(DEMO), QWEN),
    "unserve": plan_unserve(DEMO, "one", FailedRun(HOSTS, HOSTS)),
}


def commands(plan: Plan) -> list[Command]:
    """All that a plan sends."""
    steps = [step.probe if isinstance(step, Wait) else step.command for step in plan]
    return steps + [each.command for phase in plan.phases for each in (phase.watch, phase.feed) if each]


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_its_script_does_the_same_in_other_words(plan: Plan) -> None:
    assert reworded(plan) != plan
    assert [step.kind for step in reworded(plan)] == [step.kind for step in plan]
    in_other_words = script(DEMO, reworded(plan))
    assert plain(in_other_words) == script(DEMO, plan)
    doing = [line for line in in_other_words.splitlines() if not line.startswith("#")]
    assert doing == [line for line in script(DEMO, plan).splitlines() if not line.startswith("#")]


def test_a_script_is_known_by_one_name_and_by_no_other() -> None:
    carried = {word for plan in PLANS.values() for each in commands(plan) for word in each.argv}
    texts = {(word.name, str(word)) for word in carried if isinstance(word, Script)}
    assert len(texts) == len({name for name, _ in texts}) == len({text for _, text in texts}) > 10


def test_no_step_hides_what_it_is_behind_what_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart puts `down` and `up` together: what fetches an image comes before what stops a container."""
    expected = plan_restart(ON_HEAD, without_images(standing(ON_HEAD)), SEALED)

    def in_other_words(planner: Any) -> Any:
        return lambda *given: reworded(planner(*given))

    monkeypatch.setattr(restart, "plan_up", in_other_words(plan_up))
    monkeypatch.setattr(restart, "plan_down", in_other_words(plan_down))
    got = plan_restart(ON_HEAD, without_images(standing(ON_HEAD)), SEALED)
    assert [title for title, _ in outline(expected)][:3] == [
        "Get the image",
        "Copy the image",
        "Stop the workers",
    ]
    assert [(plain(phase.title), phase.on_failure) for phase in got.phases] == [
        (phase.title, phase.on_failure) for phase in expected.phases
    ]
