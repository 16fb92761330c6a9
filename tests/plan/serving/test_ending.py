"""What is said of models whose containers are about to go."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Model
from orchestrator.plan.actions.down import plan_down
from orchestrator.plan.facts.host import Facts
from orchestrator.plan.serving.ending import whatever_ends
from tests.plan.serving.worlds import seen, starting
from tests.plan.worlds import cluster, standing, with_host

ONE, TWO = Model("org/One", named="one"), Model("org/Two", named="chat")


def served(**trouble: str) -> Facts:
    """One on gpu1 and gpu2, where it has a part; Two on gpu2."""
    facts = standing(cluster())
    for host, model, port, hosts in (("gpu1", ONE, 8000, ("gpu1", "gpu2")), ("gpu2", TWO, 8001, ("gpu2",))):
        told = replace(
            seen(**(starting() if model.server in trouble else {})),
            model=model,
            url=f"http://10.0.0.1:{port}",
            hosts=hosts,
            run=model.server,
        )
        facts = with_host(facts, host, served=(told,))
    return facts


BOTH = "Whatever runs in them ends: "


@pytest.mark.parametrize(
    ("facts", "hosts", "said"),
    [
        (
            served(),
            {"gpu1", "gpu2"},
            f"{BOTH}the models chat (org/Two) and org/One, which answer on :8001 and :8000.",
        ),
        (
            served(chat="loads"),
            {"gpu1", "gpu2"},
            f"{BOTH}the model org/One, which answers on :8000; the model chat (org/Two), which does not answer now.",
        ),
        (
            served(),
            {"gpu2"},
            f"{BOTH}the model chat (org/Two), which answers on :8001. "
            "The model org/One has a part there, and is interrupted.",
        ),
        (served(), {"gpu3"}, "Whatever runs in them ends."),
    ],
)
def test_a_question_names_the_models_that_a_yes_would_end(facts: Facts, hosts: set[str], said: str) -> None:
    assert whatever_ends(facts, frozenset(hosts), "in them") == said


def test_down_names_each_model_that_ends_and_each_that_loses_a_part() -> None:
    of = cluster()

    def told(only: frozenset[str] | None = None) -> list[tuple[str, str, str]]:
        return [
            (each.host, each.problem.text, each.problem.fix)
            for each in plan_down(of, served(), only).warnings
        ]

    chat = ("gpu2", "chat (org/Two), which answers on :8001, ends with its container", "")
    assert told() == [chat, ("gpu1", "org/One, which answers on :8000, ends with its container", "")]
    part = ("gpu2", "org/One, which has a part there, is interrupted", "")
    assert told(frozenset({"gpu2"})) == [chat, part]
    assert told(frozenset({"gpu3"})) == []
