"""A plan on a terminal: its lines are to be read, and to be pasted."""

import shlex

import pytest

from orchestrator.cli.output import plan_text
from orchestrator.cli.output.console import Screen
from orchestrator.plan.command import Command
from orchestrator.plan.steps import OnFailure, Phase, Plan, Run

WORDS = (
    *(
        "docker",
        "run",
        "--detach",
        "--name",
        "raycluster-demo-gpu1",
        "--label",
        "raycluster.cluster=demo",
        "-e",
    ),
    *("A=it's two words", "--gpus=all", "x/y:1", "-c", f"exec ray start {'--block ' * 20}"),
)
PLAN = Plan("test it", (Phase("Start", (Run("gpu1", "start", Command(WORDS)),), OnFailure.STOP),))


def shown(monkeypatch: pytest.MonkeyPatch, width: int) -> list[str]:
    console = Screen(width=width, markup=False, highlight=False, color_system=None, soft_wrap=True)
    monkeypatch.setattr(plan_text, "answer", lambda: console)
    with console.capture() as drawn:
        plan_text.show_plan(PLAN)
    lines = drawn.get().splitlines()
    return lines[lines.index("   gpu1  start") + 1 : -2]


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_long_line_goes_on_behind_a_backslash_between_its_words(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    *before, last = shown(monkeypatch, width)
    assert before
    assert all(len(line) <= width and line.endswith(" \\") for line in before)
    assert not any(line.split()[-2].startswith("-") and "=" not in line.split()[-2] for line in before)
    assert tuple(shlex.split("\n".join([*before, last]).replace("\\\n", ""))) == WORDS


def test_where_nobody_looks_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(shown(monkeypatch, 400)) == 1
