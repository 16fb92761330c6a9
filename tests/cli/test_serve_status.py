"""`raycluster serve status` and `serve stop`, as a person sees them."""

import json

import pytest
from jsonschema import Draft202012Validator

from orchestrator.cli.output import json as answers
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli import serving
from tests.cli.conftest import Raycluster, only_looked, seen, sent
from tests.cli.serving import GATED, MODEL, ready, supervisor, told
from tests.plan.recordings import standing, state
from tests.plan.serving.worlds import ANSWERING, FIRST, ended, line, starting
from tests.remote.fakes import FakeFleet

hosts_serve = serving.hosts_serve


# --- serve status ---


def test_one_that_answers_is_told_with_where_and_since_when(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    ready(hosts_serve, line())
    status = raycluster("serve", "status")
    assert (status.exit_code, status.stderr) == (0, "")
    assert status.stdout == (
        f"model {MODEL} answers at http://10.0.0.1:8000/v1, for 60 s, 8 GPUs on each of gpu1, gpu2, gpu3\n"
    )
    (told,) = json.loads(raycluster("serve", "status", "-o", "json").stdout)["models"]
    assert (told["hosts"], told["gpus"]) == (["gpu1", "gpu2", "gpu3"], 24)
    assert told["gpus_by_host"] == {"gpu1": 8, "gpu2": 8, "gpu3": 8}


def test_one_that_takes_no_question_is_told_as_such(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    ready(hosts_serve, line(state=ANSWERING | {"first": FIRST | {"status": 404}}))
    status = raycluster("serve", "status")
    doubt = "whether it answers is not known: it refuses all that it is asked (HTTP status 404)"
    assert (status.exit_code, status.stdout) == (
        0,
        f"model {MODEL} listens at http://10.0.0.1:8000/v1, for 60 s, 8 GPUs on each of gpu1, gpu2, gpu3; {doubt}\n",
    )
    (told,) = json.loads(raycluster("serve", "status", "-o", "json").stdout)["models"]
    assert (told["answers"], told["untried"]) == (True, doubt)


def test_one_that_does_not_is_told_with_its_cause_and_its_remedy(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    ready(hosts_serve, line(**ended(GATED, starts=3) | {"supervised": True}))
    status = raycluster("serve", "status")
    assert status.exit_code == 3
    assert status.stdout.startswith(
        f"model {MODEL} does not answer: vLLM ended with exit code 1 and will be "
    )
    assert status.stdout.endswith("started 3 times\n")
    assert "→ accept its conditions" in status.stderr


def test_where_nothing_is_served_that_is_an_answer_too(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    ready(hosts_serve)
    status = raycluster("serve", "status")
    assert (status.exit_code, status.stdout) == (3, "cluster demo serves nothing\n")


def test_where_the_heads_container_has_ended_that_is_why(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    exited = state(Status="exited", Running=False, ExitCode=137, FinishedAt="2026-03-01T12:00:30Z")
    hosts_serve.on(
        "gpu1", sent("observe"), seen("10.0.0.1", **standing("raycluster-demo-gpu1", State=exited))
    )
    status = raycluster("serve", "status")
    why = "cluster demo serves nothing: gpu1: its container exited with code 137, 31 s ago\n"
    assert (status.exit_code, status.stdout) == (3, why)


def test_where_the_head_cannot_be_asked_nobody_says_that_nothing_is_served(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    hosts_serve.on("gpu1", sent("observe"), Failure(FailureKind.UNREACHABLE, "is away", fix="plug it in"))
    status = raycluster("serve", "status")
    assert (status.exit_code, status.stdout) == (3, "what cluster demo serves is not known: gpu1: is away\n")
    assert "→ plug it in" in status.stderr
    told = json.loads(raycluster("serve", "status", "-o", "json").stdout)
    assert (told["models"], told["trouble"]) == (
        [],
        "what cluster demo serves is not known: gpu1: is away",
    )


@pytest.mark.parametrize("served", ["", line(), line(**starting()), line(**ended())])
def test_as_json_it_is_what_the_schema_says(
    hosts_serve: FakeFleet, raycluster: Raycluster, served: str
) -> None:
    ready(hosts_serve, served)
    status = raycluster("serve", "status", "-o", "json")
    told = json.loads(status.stdout)
    assert list(Draft202012Validator(answers.schema("serve")).iter_errors(told)) == []
    answering = [each["answers"] for each in told["models"]] == [True]
    assert (status.exit_code, told["version"]) == (0 if answering else 3, 2)


@pytest.mark.parametrize(
    ("served", "verdict", "exit_code"),
    [
        (line(), "healthy", 0),
        (line(trouble="timed out"), "degraded", 3),
        (line(**starting()), "degraded", 3),
        (line(**ended()), "degraded", 3),
        ("", "healthy", 0),
    ],
)
def test_status_of_the_cluster_is_degraded_while_its_model_does_not_answer(
    hosts_serve: FakeFleet, raycluster: Raycluster, served: str, verdict: str, exit_code: int
) -> None:
    ready(hosts_serve, served)
    status = raycluster("status")
    assert status.exit_code == exit_code
    assert status.stdout.startswith(f"cluster demo is {verdict}: Ray 2.56.0 lists 2 of 2 hosts")
    assert (f"model {MODEL} " in status.stdout) is bool(served)


# --- serve stop ---


def test_stop_says_that_it_is_gone(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    ready(hosts_serve, line())
    stop = raycluster("serve", "stop")
    assert (stop.exit_code, stop.stdout) == (0, "cluster demo serves nothing any more\n")
    assert told(hosts_serve) == ["stop"]


def test_a_second_stop_has_nothing_to_do(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    stop = raycluster("serve", "stop")
    assert (stop.exit_code, stop.stderr) == (0, "")
    assert stop.stdout == "cluster demo serves nothing: nothing to do\n"
    assert only_looked(hosts_serve)


def test_a_server_that_does_not_end_is_a_failure(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    ready(hosts_serve, line())
    hosts_serve.on("gpu1", supervisor("stop"), Output(1, "", "these processes do not end: 77"))
    stop = raycluster("serve", "stop")
    assert (stop.exit_code, stop.stdout) == (1, "")
    assert "✗ the model on cluster demo may still be served\n" in stop.stderr
    assert "stop vLLM: these processes do not end: 77 (exit code 1)" in stop.stderr


def test_a_head_that_cannot_be_asked_is_not_said_to_serve_nothing(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    hosts_serve.on("gpu1", sent("observe"), Failure(FailureKind.UNREACHABLE, "is away", fix="plug it in"))
    stop = raycluster("serve", "stop")
    assert (stop.exit_code, stop.stdout) == (1, "")
    assert "gpu1  is away" in stop.stderr
