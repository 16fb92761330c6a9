"""Why a container runs no more: what its engine, and the times of its host and of its engine, tell."""

import pytest

from orchestrator.plan.facts.endings import COMES_BACK, SURVIVES, how_it_ended
from orchestrator.plan.problem import Problem
from tests.plan.worlds import bare_host, cluster, container

OF = cluster(workers=1)
NOW = 10_000.0
KILLED = "Docker had been killed or had crashed: `unless-stopped` containers stay down then"


def ended(*, booted: float = 0.0, engine_started: float = 0.0, **changes: object) -> Problem:
    """How a container ended that had run since 5,000."""
    state = {"status": "exited", "running": False, "exit_code": 0, "started": 5_000.0, "finished": 0.0}
    there = container(OF, OF.head, **{**state, "restart": "unless-stopped", **changes})
    here = bare_host(OF.head, now=NOW, booted=booted, engine_started=engine_started)
    return how_it_ended(here, there)


def test_one_that_ended_by_itself_is_told_with_its_code_and_when() -> None:
    assert ended(exit_code=1, finished=NOW - 30) == Problem("its container exited with code 1, 30 s ago")


def test_one_whose_end_nobody_saw_ended_with_its_host() -> None:
    """Podman tells code 0 and the year 1 of what a power cut has ended."""
    told = "its container ended with the host, which was rebooted 60 s ago"
    assert ended(booted=NOW - 60) == Problem(told, COMES_BACK)


def test_of_one_whose_end_nobody_saw_on_a_host_that_runs_since_before_no_code_is_told() -> None:
    assert ended(booted=10.0).text == "its container ended, and its engine has not written down how"
    assert ended().text == "its container ended, and its engine has not written down how"


def test_one_that_docker_ended_at_its_start_is_told_with_what_would_bring_it_back() -> None:
    told = ended(exit_code=1, finished=NOW - 20, engine_started=NOW - 22)
    assert told.text == f"its container exited with code 1, 20 s ago, when Docker was restarted. {KILLED}"
    assert told.fix == SURVIVES


@pytest.mark.parametrize(
    "changes",
    [
        {"restart": "always"},
        {"finished": NOW - 23},  # before: stopped in good order
        {"finished": NOW - 22 + 600},  # long afterwards: by somebody else
        {"started": NOW - 21},  # under this very Docker
        {"engine_started": 0.0},
    ],
)
def test_docker_is_not_blamed_for_another_end(changes: dict[str, object]) -> None:
    told = ended(**{"exit_code": 1, "finished": NOW - 20, "engine_started": NOW - 22, **changes})  # type: ignore[arg-type]
    assert "killed" not in told.text
    assert told.fix == ""
