"""What is said of an image's own entrypoint."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Docker, Entrypoint
from orchestrator.plan.checks.entrypoint import KEEP, SKIP, check_environment, check_kept, is_to_be_tried
from orchestrator.plan.typed import change
from tests.plan.checks.samples import ALONE, TRIAL, brief, found, head
from tests.plan.worlds import bare_host

VLLM = (
    ("vllm", "serve"),
    ("/opt/venv/bin/vllm", "serve"),
    ("python3", "-m", "vllm.entrypoints.openai.api_server"),
    ("/bin/bash",),
)


def told(
    entrypoint: tuple[str, ...], what: Entrypoint = Entrypoint.SKIP, prepared: dict[str, int] | None = None
) -> list[tuple[str, str, str, str]]:
    node = replace(ALONE.head, docker=Docker(entrypoint=what))
    facts = bare_host(node, image_entrypoint=entrypoint)
    trial = replace(TRIAL, variables=frozenset({("PATH", 1), ("SAME", 2)}))
    behind = None if prepared is None else frozenset(prepared.items())
    return brief([*check_kept(node, facts), *check_environment(node, facts, trial, behind)])


@pytest.mark.parametrize("entrypoint", VLLM)
def test_one_that_runs_no_command_is_rightly_skipped_and_cannot_be_kept(entrypoint: tuple[str, ...]) -> None:
    assert not is_to_be_tried(ALONE.head, bare_host(ALONE.head, image_entrypoint=entrypoint))
    assert told(entrypoint) == []
    ((host, level, text, fix),) = told(entrypoint, Entrypoint.KEEP)
    assert (host, level, fix) == ("gpu1", "failure", SKIP)
    assert text.endswith("passes no command on, so it cannot be kept")


def test_up_says_the_same_before_it_starts_anything() -> None:
    kept = head(docker=Docker(entrypoint=Entrypoint.KEEP))
    ((level, text, fix),) = found(kept, image_entrypoint=("vllm", "serve"))
    assert (level, fix) == ("failure", SKIP)
    assert text == "the image's entrypoint, vllm serve, passes no command on, so it cannot be kept"


def test_one_that_is_skipped_is_told_with_what_is_missing_or_other_without_it() -> None:
    entry = ("/entry.sh",)
    assert is_to_be_tried(ALONE.head, bare_host(ALONE.head, image_entrypoint=entry))
    assert told(entry, prepared={"PATH": 9, "SAME": 2, "ACCEL_HOME": 3}) == [
        ("gpu1", "warning", "the image's entrypoint, /entry.sh, sets ACCEL_HOME, PATH and is skipped", KEEP)
    ]


def test_one_that_sets_nothing_or_runs_no_command_when_tried_is_passed_over() -> None:
    assert told(("tini", "--"), prepared={"PATH": 1, "SAME": 2}) == []
    assert told(("/serve.sh",), prepared=None) == []


def test_an_image_that_sets_bash_env_is_told_until_the_inventory_sets_it_too() -> None:
    trial, facts = replace(TRIAL, bash_env="/setvars.sh"), bare_host(ALONE.head)
    ((_, level, _, fix),) = brief([*check_environment(ALONE.head, facts, trial, None)])
    assert (level, fix) == ("warning", change("env.BASH_ENV", "/setvars.sh"))
    by_inventory = replace(ALONE.head, env=(("BASH_ENV", "/setvars.sh"),))
    assert not [*check_environment(by_inventory, facts, trial, None)]
