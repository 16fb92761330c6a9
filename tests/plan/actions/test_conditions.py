"""When a wait is over, from what a probe and the watch told."""

import json
from typing import Any

import pytest

from orchestrator.plan.actions.conditions import Answers, Begins, Joined, SameRay
from orchestrator.plan.problem import Problem
from orchestrator.plan.remedies import SAME_IMAGE
from orchestrator.plan.steps import NotYet, Ready, WaitResult
from tests.plan.recordings import STARTED, ray_line, ray_row, state

ANSWERS = Answers(6379)
JOINED = Joined("10.0.0.2", gpus=8)
SECONDS = 1772366420
"""The clock of a host, some seconds after its container was started."""
GONE = Problem("Docker tells nothing of its container any more")


def container(restarts: int = 0, **changes: object) -> str:
    return json.dumps({"state": state(**changes), "restarts": restarts})


def ended(**changes: Any) -> str:
    return container(Status="exited", Running=False, ExitCode=137, **changes)


def listed(**changes: object) -> str:
    return ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2", **changes))


@pytest.mark.parametrize(
    ("exit_code", "stdout", "verdict"),
    [
        (0, "", Ready("port 6379 answers")),
        (1, container(), NotYet("nothing answers on port 6379")),
        (1, ended(), Problem("its container ended with exit code 137", exit_code=137)),
        (
            1,
            ended(OOMKilled=True),
            Problem("its container ended with exit code 137 (out of memory)", exit_code=137),
        ),
        (1, container(restarts=1), Problem("its container ended and Docker had to restart it")),
        (1, "", GONE),
        (124, "", GONE),
        (1, "Cannot connect to the Docker daemon", GONE),
        (1, "[]", GONE),
    ],
)
def test_the_head_answers_or_its_container_has_ended(
    exit_code: int, stdout: str, verdict: WaitResult
) -> None:
    assert ANSWERS(exit_code, stdout, "") == verdict


@pytest.mark.parametrize(
    ("exit_code", "stdout", "verdict"),
    [
        (0, "", Ready("it has")),
        (1, container(), NotYet("the image's entrypoint has not begun our command")),
        (1, ended(), Problem("its container ended with exit code 137", exit_code=137)),
        (1, "", GONE),
    ],
)
def test_the_entrypoint_has_begun_our_command_or_its_container_has_ended(
    exit_code: int, stdout: str, verdict: WaitResult
) -> None:
    assert Begins()(exit_code, stdout, "") == verdict


@pytest.mark.parametrize(
    ("watched", "verdict"),
    [
        (listed(), Ready("joined, 8 GPUs")),
        (listed(accelerators={"GPU": 9}), Ready("joined, 9 GPUs")),
        (listed(accelerators={"GPU": 4}), Problem("Ray sees 4 of its 8 GPUs")),
        (ray_line(ray_row("10.0.0.1")), NotYet("runs, but Ray does not list 10.0.0.2 yet")),
        (listed(alive=False), NotYet("runs, but Ray does not list 10.0.0.2 yet")),
        (listed(started=1772366399.0), NotYet("runs, but Ray does not list 10.0.0.2 yet")),
        ("", NotYet("no answer from Ray on the head yet")),
        ('{"error": "nothing listens", "gone": true}', NotYet("no answer from Ray on the head yet (nothing listens)")),
        ("Traceback", NotYet("no answer from Ray on the head yet (Traceback)")),
    ],
)  # fmt: skip
def test_a_node_has_joined_when_ray_lists_its_present_life_with_all_gpus(
    watched: str, verdict: WaitResult
) -> None:
    assert JOINED(0, container(), watched) == verdict


@pytest.mark.parametrize(
    ("exit_code", "stdout", "verdict"),
    [
        (0, ended(), Problem("its container ended with exit code 137", exit_code=137)),
        (0, container(restarts=1), Problem("its container ended and Docker had to restart it")),
        (1, "", GONE),
        (124, container(), GONE),
    ],
)
def test_what_ray_still_lists_does_not_count_once_the_container_has_ended(
    exit_code: int, stdout: str, verdict: WaitResult
) -> None:
    assert JOINED(exit_code, stdout, listed()) == verdict


def fresh(**told: object) -> str:
    """What is told of a container that this run has started."""
    return json.dumps({"state": state(), "restarts": 0, "now": SECONDS, **told})


NOT_TOLD = NotYet("Ray lists it, but `ray start` there has not told that it is done", soon=True)


def test_a_new_container_has_joined_once_ray_start_has_said_so_too() -> None:
    """Ray up to 2.54 lists a worker of another version for a moment."""
    assert JOINED(1, fresh(started=False), listed()) == NOT_TOLD
    assert JOINED(0, fresh(started=True), listed()) == Ready("joined, 8 GPUs")
    assert JOINED(1, ended(started=False), listed()) == Problem(
        "its container ended with exit code 137", exit_code=137
    )


def test_where_no_log_tells_a_node_is_believed_in_once_it_has_lasted() -> None:
    assert JOINED(0, fresh(started=None), listed(started=SECONDS - 2)) == NOT_TOLD, "it comes in a moment"
    waiting = JOINED(0, fresh(started=None), listed(started=SECONDS - 9))
    assert waiting == NotYet("Ray lists it; its log has nothing of `ray start`, so it is watched for 10 s")
    assert JOINED(0, fresh(started=None), listed(started=SECONDS - 11)) == Ready("joined, 8 GPUs")


OURS = '{"ray": "2.52.1", "python": "3.11.2"}\n'


@pytest.mark.parametrize(
    ("exit_code", "stdout", "watched", "verdict"),
    [
        (0, OURS, ray_line(ray="2.52.1", python="3.11.2"), Ready("Ray 2.52.1, Python 3.11.2")),
        (
            0,
            OURS,
            ray_line(ray="2.54.1", python="3.11.2"),
            Problem(
                "has Ray 2.52.1, Python 3.11.2, gpu1 has Ray 2.54.1, Python 3.11.2: Ray joins only equals",
                SAME_IMAGE,
            ),
        ),
        (
            0,
            OURS,
            ray_line(ray="2.52.1", python="3.12.1"),
            Problem(
                "has Ray 2.52.1, Python 3.11.2, gpu1 has Ray 2.52.1, Python 3.12.1: Ray joins only equals",
                SAME_IMAGE,
            ),
        ),
        (0, OURS, "", NotYet("has Ray 2.52.1, Python 3.11.2; no answer from Ray on gpu1 yet")),
        (127, "python3: not found", ray_line(), Ready("could not be asked")),
        (0, "Welcome", ray_line(), Ready("could not be asked")),
    ],
)
def test_a_worker_whose_ray_or_python_is_another_than_the_heads_is_not_started(
    exit_code: int, stdout: str, watched: str, verdict: WaitResult
) -> None:
    assert SameRay("gpu1")(exit_code, stdout, watched) == verdict


def test_restarts_from_before_this_run_are_no_crash() -> None:
    until = Joined("10.0.0.2", gpus=8, restarts=3)
    assert until(0, container(restarts=3), listed()) == Ready("joined, 8 GPUs")
    assert until(0, container(restarts=4), listed()) == Problem(
        "its container ended and Docker had to restart it"
    )


def test_a_node_that_started_with_its_container_counts() -> None:
    assert STARTED.startswith("2026-03-01T12:00:00.123456")
    assert JOINED(0, container(), listed(started=1772366400.123456)) == Ready("joined, 8 GPUs")


def test_a_ray_that_will_never_tell_its_nodes_is_not_waited_for() -> None:
    never = JOINED(0, container(), '{"error": "…", "gone": false, "too_old": "2.30.0"}')
    assert isinstance(never, Problem)
    assert never.text.startswith("Ray 2.30.0 is too old")
    assert "2.31" in never.fix
