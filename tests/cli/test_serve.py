"""`raycluster serve`, as a person sees it."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from orchestrator.remote.fleet import Fleet
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Output
from tests.cli import serving
from tests.cli.conftest import INVENTORY, Raycluster, only_looked, sent
from tests.cli.output.test_jsonl import events
from tests.cli.serving import GATED, MODEL, SERVED, UNASKED, has_model, ready, spec, supervisor, told
from tests.plan.serving.worlds import ANSWERING, FIRST, ended, line, starting
from tests.remote.fakes import FakeFleet

hosts_serve = serving.hosts_serve


def answers_first(fleet: FakeFleet, **changes: Any) -> None:
    """What the server has answered its supervisor first."""
    fleet.on("gpu1", supervisor("inspect"), Output(0, line(state=ANSWERING | {"first": FIRST | changes})))


def request(run: Result) -> list[str]:
    """The words of the shown `curl` line, as a shell reads it."""
    shown = run.stdout.partition("Ask it:\n")[2].partition("\nFrom ")[0]
    return shlex.split(shown.replace("\\\n", ""))


# --- serve MODEL ---


def test_the_answer_is_where_it_answers_and_how_to_ask_it(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    serve = raycluster("serve", MODEL)
    assert serve.exit_code == 0, serve.stderr
    assert serve.stdout.startswith(f"{MODEL} answers at http://10.0.0.1:8000/v1 (")
    curl, url, header, content, data, body = request(serve)
    assert (curl, url) == ("curl", "http://10.0.0.1:8000/v1/completions")
    assert (header, content, data) == ("-H", "Content-Type: application/json", "-d")
    assert json.loads(body) == {"model": MODEL, "prompt": "Hello", "max_tokens": 16}
    assert "a tunnel to http://127.0.0.1:8000:\n  ssh -N -L 8000:10.0.0.1:8000 gpu1\n" in serve.stdout
    lines = serve.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    then = ["Then:", *(f"  raycluster serve {each}" for each in ("status", "logs -f", "stop"))]
    assert lines[-4:] == then
    assert told(hosts_serve) == ["start", "inspect", "inspect"]


def test_where_every_host_has_the_model_the_hub_is_not_asked(
    hosts_serve: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    has_model(hosts_serve, "*")
    raycluster("serve", MODEL)
    assert spec(hosts_serve)["env"]["HF_HUB_OFFLINE"] == "1"
    hosts_serve.sent.clear()
    (folder / "inventory.yaml").write_text(INVENTORY + "env: {HF_HUB_OFFLINE: '0'}\n")
    raycluster("serve", MODEL)
    assert "HF_HUB_OFFLINE" not in spec(hosts_serve)["env"]


def test_who_lacks_what_of_the_model_is_told_before_it_starts_with_what_brings_it(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    has_model(hosts_serve, "gpu1")
    has_model(hosts_serve, "gpu2", "tokenizer.json")
    hosts_serve.on("gpu2", sent("hub-models"), Output(0, '\x1e{"hub": ""}\n'))
    serve = raycluster("serve", MODEL)
    assert serve.exit_code == 0, serve.stderr
    lacks = f"! gpu2: tokenizer.json of {MODEL} is missing, and each host downloads that by itself"
    assert f"{lacks} → `raycluster model copy --from gpu1 {MODEL}` brings it there\n" in serve.stderr
    assert "HF_HUB_OFFLINE" not in spec(hosts_serve)["env"]


def test_a_host_that_lacks_some_of_the_model_and_does_not_reach_the_hub_is_refused_at_once(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    has_model(hosts_serve, "gpu1")
    has_model(hosts_serve, "gpu2", "tokenizer.json")
    no_hub = Output(0, '\x1e{"hub": "https://huggingface.co: timed out"}\n')
    hosts_serve.on("gpu2", sent("hub-models"), no_hub)
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, told(hosts_serve)) == (1, [])
    why = "and does not reach the hub: https://huggingface.co: timed out"
    assert f"  gpu2  tokenizer.json of {MODEL} is missing, {why}\n" in serve.stderr
    assert f"→ `raycluster model copy --from gpu1 {MODEL}` brings it there\n" in serve.stderr


PULLS = "serve: {model: org/tiny, pull: true}\n"


def test_the_inventorys_model_is_brought_to_all_before_it_is_served(
    hosts_serve: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + PULLS)
    nothing = Output(0, '\x1e{"hub": "/hub", "free": 9, "unused": 0, "models": []}')
    hosts_serve.on("*", sent("look-models"), nothing)
    refused = Output(1, stderr="org/tiny is gated, and no token was given\n")
    hosts_serve.streams("gpu1", sent("pull-models"), refused)
    serve = raycluster("serve")
    assert serve.exit_code == 1
    assert (
        "✗ org/tiny is not known to be on all hosts: 1 host failed\n  gpu1  download org/tiny: "
        in serve.stderr
    )
    assert told(hosts_serve) == []


def test_a_model_that_all_have_is_not_brought_again(
    hosts_serve: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + PULLS.replace("org/tiny", MODEL))
    has_model(hosts_serve, "*")
    serve = raycluster("serve")
    assert serve.exit_code == 0, serve.stderr
    assert not any("pull-models" in each.command.argv for each in hosts_serve.sent)


@pytest.mark.parametrize("output", ["text", "jsonl"])
def test_a_stage_that_lasts_is_told_once_where_lines_stay(
    hosts_serve: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.setattr(Fleet, "timeouts", Timeouts(still_waiting=0.0))
    monkeypatch.setattr("orchestrator.cli.output.progress.PACE", 0.0)
    loads = Output(0, line(**starting("Loading safetensors checkpoint shards:  25% Completed | 1/4")))
    hosts_serve.on("gpu1", supervisor("inspect"), loads, loads, loads, Output(0, line()))
    serve = raycluster("serve", MODEL, "-o", output)
    assert (serve.stderr + serve.stdout).count("loads the weights: 25% Completed") == 1


def test_what_it_does_meanwhile_goes_to_standard_error(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    del hosts_serve
    serve = raycluster("serve", MODEL)
    why = "tensor parallel 8, pipeline parallel 2, for 8 GPUs on each of 2 hosts"
    assert f"gpu1: serve {MODEL}: {why}" in serve.stderr
    for step in ("start vLLM: ok", "wait until it answers: ok"):
        assert f"gpu1: {step}" in serve.stderr
        assert step not in serve.stdout


@pytest.mark.parametrize("secrets", ["", "secrets: [HF_TOKEN]\n", "secrets: [HF_TOKEN, VLLM_API_KEY]\n"])
def test_the_request_has_a_key_only_where_the_server_asks_for_one(
    hosts_serve: FakeFleet, folder: Path, raycluster: Raycluster, secrets: str
) -> None:
    del hosts_serve
    (folder / "inventory.yaml").write_text(INVENTORY + secrets)
    serve = raycluster("serve", MODEL)
    assert serve.exit_code == 0, serve.stderr
    assert ('-H "Authorization: Bearer $VLLM_API_KEY"' in serve.stdout) is ("VLLM_API_KEY" in secrets)


def test_a_key_on_the_command_line_is_asked_for_too_and_shown_nowhere(
    hosts_serve: FakeFleet, folder: Path, raycluster: Raycluster
) -> None:
    said = "non-default args: {'api_key': ['s3cret-key']}"
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**ended(said))))
    failed = raycluster("serve", MODEL, "-v", "--", "--api-key", "s3cret-key")
    assert "'api_key': ['<--api-key>']" in failed.stderr
    (log,) = (folder / "state").rglob("*.log")
    assert "s3cret-key" not in failed.output + log.read_text()
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line()))
    serve = raycluster("serve", MODEL, "--", "--api-key", "s3cret-key")
    assert '-H "Authorization: Bearer $VLLM_API_KEY"' in serve.stdout
    assert "s3cret-key" not in serve.output


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ({"status": 200}, "/v1/completions"),
        ({"status": 404}, "/v1/models"),
        ({"status": 200, "path": "/v1/embeddings"}, "/v1/models"),
    ],
)
def test_a_model_that_makes_no_text_is_not_shown_a_prompt(
    hosts_serve: FakeFleet, raycluster: Raycluster, answer: dict[str, Any], path: str
) -> None:
    answers_first(hosts_serve, **answer)
    assert request(raycluster("serve", MODEL))[1].endswith(path)


@pytest.mark.parametrize(
    ("status", "why"), [(404, "it refuses all that it is asked"), (401, "it wants a key that is not known")]
)
@pytest.mark.parametrize("by", ["supervisor", "serve"])
def test_of_one_that_refuses_what_it_is_asked_nobody_knows_whether_it_answers(
    hosts_serve: FakeFleet, raycluster: Raycluster, folder: Path, status: int, why: str, by: str
) -> None:
    if by == "supervisor":
        answers_first(hosts_serve, status=status)
    else:
        (folder / "inventory.yaml").write_text(INVENTORY + UNASKED)
        hosts_serve.on("gpu1", supervisor("ask"), Output(0, json.dumps(FIRST | {"status": status})))
        hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(state=ANSWERING)))
    serve = raycluster("serve", MODEL)
    assert serve.exit_code == 0
    assert f"{MODEL} listens at http://10.0.0.1:8000/v1 (" in serve.stdout
    assert f"; whether it answers is not known: {why} (HTTP status {status})\n" in serve.stdout
    assert "answers at" not in serve.output


def test_one_that_its_supervisor_does_not_ask_is_asked_by_serve(
    hosts_serve: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + UNASKED)
    answer = FIRST | {"name": "mine"}
    hosts_serve.on("gpu1", supervisor("ask"), Output(0, json.dumps(answer)))
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(state=ANSWERING)))
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, told(hosts_serve)) == (0, ["start", "inspect", "ask"])
    assert json.loads(request(serve)[-1])["model"] == "mine"


def test_a_model_is_asked_by_the_name_that_its_server_gives_it(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    answers_first(hosts_serve, name="it's -d mine")
    assert json.loads(request(raycluster("serve", MODEL))[-1])["model"] == "it's -d mine"


def test_what_comes_after_the_dashes_is_vllms(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    words = ("--max-model-len", "4096", "-tp=4", "--served-model-name", "a b; $HOME")
    assert raycluster("serve", MODEL, "--", *words).exit_code == 0
    argv = spec(hosts_serve)["argv"]
    assert tuple(argv[-len(words) :]) == words
    assert argv[-len(words) - 2 : -len(words)] == ["--pipeline-parallel-size", "4"]


def test_one_that_answers_already_is_not_touched(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    ready(hosts_serve, line())
    serve = raycluster("serve", MODEL, "--", "--max-model-len", "4096")
    assert (serve.exit_code, serve.stderr) == (0, "")
    assert f"{MODEL} answers at http://10.0.0.1:8000/v1 already, nothing to do\n" in serve.stdout
    assert request(serve)[1] == "http://10.0.0.1:8000/v1/completions"
    assert only_looked(hosts_serve)


def test_where_no_gpu_is_left_for_another_it_is_told_who_has_them(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    ready(hosts_serve, line())
    serve = raycluster("serve", "-y", "another")
    assert (serve.exit_code, serve.stdout) == (1, "")
    assert "✗ another is not served\n  gpu1  no GPU is free: qwen3-32b has 16 on gpu1, gpu2\n" in serve.stderr
    room = "`raycluster serve Qwen/Qwen3-32B --gpus 12 -- --max-model-len 4096` leaves some"
    assert f"→ `raycluster serve stop qwen3-32b` ends that one, and {room}\n" in serve.stderr
    assert "\nNothing was started.\n" in serve.stderr
    assert only_looked(hosts_serve)


def test_without_a_cluster_it_says_what_brings_one_up(hosts: FakeFleet, raycluster: Raycluster) -> None:
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, serve.stdout) == (1, "")
    assert "the cluster is not up" in serve.stderr
    assert "→ raycluster up\n" in serve.stderr
    assert only_looked(hosts)


# --- for programs ---


def test_all_that_happens_is_an_event_and_the_last_says_how_it_ended(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    serve = raycluster("serve", MODEL, "-o", "jsonl")
    assert (serve.exit_code, serve.stderr) == (0, "")
    lines = events(serve)
    assert [each["step"] for each in lines if each["event"] == "step-ended"] == [
        "start vLLM",
        "wait until it answers",
    ]
    assert lines[-1]["message"].startswith(f"{MODEL} answers at http://10.0.0.1:8000/v1 (")
    ready(hosts_serve, line())
    assert events(raycluster("serve", "stop", "-o", "jsonl"))[-1]["command"] == "serve stop"


def test_a_failure_is_an_event_with_its_cause(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**ended(GATED))))
    last = events(raycluster("serve", MODEL, "-o", "jsonl"))[-1]
    assert (last["exit_code"], last["verdict"]) == (1, "failed")
    (failure,) = last["failures"]
    assert failure["what"].startswith("wait until it answers: the model is gated")
    assert failure["fix"].startswith("accept its conditions")


# --- up --serve ---


def test_up_serves_the_inventorys_model_once_the_cluster_is_up(
    hosts_serve: FakeFleet, folder: Path, raycluster: Raycluster
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + SERVED)
    up = raycluster("up", "--serve")
    assert up.exit_code == 0, up.stderr
    assert "cluster demo is up" in up.stdout
    assert f"{MODEL} answers at http://10.0.0.1:8000/v1 (" in up.stdout
    assert spec(hosts_serve)["args"] == ["--max-model-len", "4096"]


def test_after_a_failed_up_nothing_is_served(hosts: FakeFleet, folder: Path, raycluster: Raycluster) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + SERVED)
    hosts.on("gpu2", sent("run"), Output(125, "", "no such device"))
    up = raycluster("up", "--serve")
    assert up.exit_code == 1
    assert not told(hosts)


def test_what_fails_to_be_served_is_the_exit_code_of_up(
    hosts_serve: FakeFleet, folder: Path, raycluster: Raycluster
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + SERVED)
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**ended(GATED))))
    up = raycluster("up", "--serve")
    assert up.exit_code == 1
    assert "cluster demo is up" in up.stdout
    assert "answers" not in up.stdout


@pytest.mark.parametrize("words", [("--dry-run",), ("-o", "sh"), ("--dry-run", "--offline")])
def test_a_plan_of_up_has_no_model(
    hosts: FakeFleet, folder: Path, raycluster: Raycluster, words: tuple[str]
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + SERVED)
    up = raycluster("up", "--serve", *words)
    assert (up.exit_code, hosts.sent) == (2, [])
    assert "goes with neither --dry-run nor -o sh" in up.stderr


def test_up_without_a_model_in_the_inventory_cannot_serve_one(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    up = raycluster("up", "--serve")
    assert (up.exit_code, hosts.sent) == (2, [])
    assert "--serve: the inventory names no model; set `serve: {model: …}`" in up.stderr
