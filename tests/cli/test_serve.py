"""`raycluster serve`, as a person sees it."""

import json
import os
import shlex
import signal
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import Result

from orchestrator import payload
from orchestrator.cli.output import json as answers
from orchestrator.plan.command import Command
from orchestrator.plan.lock import HELD
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import INVENTORY, Raycluster, only_looked, seen, sent
from tests.cli.output.test_jsonl import events
from tests.plan.recordings import Said, ray_line, ray_row, standing, state
from tests.plan.serving import shapes
from tests.plan.serving.worlds import ANSWERING, FIRST, ended, line, starting
from tests.remote.fakes import Answer, FakeFleet, reached

MODEL = "Qwen/Qwen3-32B"
SERVED = "serve: {model: Qwen/Qwen3-32B, args: [--max-model-len, '4096']}\n"
GATED = "(EngineCore_0 pid=7) OSError: You are trying to access a gated repo."
COMMANDS = {"start": payload.FOLDER, "inspect": "400", "ask": "ask", "stop": "stop"}
OPTIONS = {
    "version": "0.32.0",
    "names": [
        ["--max-model-len"],
        ["--tensor-parallel-size", "-tp"],
        ["--config"],
        ["--port"],
        ["--api-key"],
        ["--served-model-name"],
    ],
    "all": True,
}
UNASKED = "serve: {model: Qwen/Qwen3-32B, liveness: off}\n"


def supervisor(what: str) -> Any:
    """Whether a command is for the supervisor, and which."""
    return lambda command: "exec" in command.argv and COMMANDS[what] in command.argv


def told(fleet: FakeFleet) -> list[str]:
    """What the supervisor was told, in order."""
    return [what for each in fleet.sent for what in COMMANDS if supervisor(what)(each.command)]


def asked(by: str) -> Any:
    """Whether a command asks for vLLM's options in this way."""
    return lambda command: "exec" in command.argv and by in command.argv


def options(fleet: FakeFleet, by: str = "sources", **changes: Any) -> None:
    """The image's vLLM has these options."""
    fleet.on("gpu1", asked(by), Output(0, f"\x1e{json.dumps(OPTIONS | changes)}\n"))


def ready(fleet: FakeFleet, served: str = "") -> None:
    """The cluster stands, and its supervisor tells this of what is served."""
    table = Said(ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2")))
    now = {"ray": table, "served": Said(served)}
    fleet.on("gpu1", sent("observe"), seen("10.0.0.1", **standing("raycluster-demo-gpu1"), **now))


@pytest.fixture
def hosts_serve(cluster_stands: FakeFleet, monkeypatch: pytest.MonkeyPatch) -> FakeFleet:
    """A cluster that stands, on which all that is told to serve comes to answer at the second look."""
    monkeypatch.setattr("orchestrator.plan.serving.plan.LOOK_EVERY", 0.02)
    ready(cluster_stands)
    cluster_stands.on("gpu1", supervisor("start"), Output(0))
    cluster_stands.on("gpu1", supervisor("inspect"), Output(0, line(**starting())), Output(0, line()))
    cluster_stands.on("gpu1", supervisor("ask"), Output(0, json.dumps(FIRST)))
    cluster_stands.on("gpu1", supervisor("stop"), Output(0))
    options(cluster_stands)
    return cluster_stands


def answers_first(fleet: FakeFleet, **changes: Any) -> None:
    """What the server has answered its supervisor first."""
    fleet.on("gpu1", supervisor("inspect"), Output(0, line(state=ANSWERING | {"first": FIRST | changes})))


def spec(fleet: FakeFleet) -> dict[str, Any]:
    """What the supervisor was to serve."""
    (start,) = (each.command for each in fleet.sent if supervisor("start")(each.command))
    told: dict[str, Any] = json.loads(json.loads(start.input())["spec"])
    return told


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


def has_model(fleet: FakeFleet, host: str, *lacks: str) -> None:
    """A host with the model's files, but for some."""
    revision = {
        "commit": "a" * 40,
        "names": ["main"],
        "state": "whole",
        "files": 30,
        "of": 30,
        "bytes": 9,
        "missing": 0,
        "bad": {},
        "lacks": lacks,
        "offline": not lacks,
    }
    model = {"name": MODEL, "bytes": 9, "unfinished": 0, "unused": 0, "astray": [], "revisions": [revision]}
    cache = {"hub": "/hub", "free": 9, "unused": 0, "models": [model]}
    for look in ("look-models", "fit-models"):
        fleet.on(host, sent(look), Output(0, f"\x1e{json.dumps(cache)}"))


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


# --- failures ---


def test_a_failure_is_told_with_its_root_cause_and_what_was_started_is_ended(
    hosts_serve: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    lines = [GATED, *["RuntimeError: Engine core initialization failed. See root cause above."] * 30]
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**ended(*lines))))
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, serve.stdout) == (1, "")
    assert f"✗ {MODEL} is not served\n" in serve.stderr
    assert "gpu1  wait until it answers: the model is gated" in serve.stderr
    assert "\n      | OSError: You are trying to access a gated repo.\n      → accept its" in serve.stderr
    assert "See root cause above" not in serve.stderr
    assert "Nothing of it is left running; `raycluster serve logs` shows all that it said.\n" in serve.stderr
    (log,) = (folder / "state").rglob("*-serve.log")
    assert f"log: {log}" in serve.stderr
    assert told(hosts_serve) == ["start", "inspect", "stop"]


def test_an_unknown_cause_leaves_its_last_words(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    hosts_serve.on(
        "gpu1", supervisor("inspect"), Output(0, line(**ended("so long", "and thanks", exit_code=-9)))
    )
    serve = raycluster("serve", MODEL)
    assert "vLLM ended with exit code 137\n      | so long\n      | and thanks\n" in serve.stderr


def test_a_model_that_fails_at_its_first_word_is_not_served(
    hosts_serve: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + UNASKED)
    hosts_serve.on("gpu1", supervisor("ask"), Output(1, "", "HTTP status 500: boom"))
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, serve.stdout) == (1, "")
    assert "gpu1  send it a request: HTTP status 500: boom (exit code 1)\n" in serve.stderr
    assert told(hosts_serve)[-1] == "stop"


def test_what_could_not_be_ended_is_not_said_to_be_gone(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**ended())))
    hosts_serve.on("gpu1", supervisor("stop"), Output(1, "", "these processes do not end: 77"))
    serve = raycluster("serve", MODEL)
    assert serve.exit_code == 1
    assert "stop vLLM: these processes do not end: 77 (exit code 1)\n" in serve.stderr
    assert "Nothing of it is left" not in serve.stderr
    assert "`raycluster serve stop` ends it" in serve.stderr


def interrupts(_command: Command, cancel: Event) -> Answer:
    os.kill(os.getpid(), signal.SIGINT)
    assert reached(cancel)
    return Failure(FailureKind.CANCELLED, "cancelled")


def test_ctrl_c_ends_what_was_started(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**starting())), interrupts)
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, serve.stdout) == (130, "")
    assert f"✗ {MODEL} is not served: interrupted\n" in serve.stderr
    assert "Nothing of it is left running" in serve.stderr
    assert told(hosts_serve)[-1] == "stop"


def test_ctrl_c_leaves_what_an_earlier_run_has_started(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    ready(hosts_serve, line(**starting()))
    hosts_serve.on("gpu1", supervisor("inspect"), interrupts)
    serve = raycluster("serve", MODEL, "--", "--max-model-len", "4096")
    assert serve.exit_code == 130
    assert "An earlier run has started it, and this one has ended nothing" in serve.stderr
    assert " tells how it is, `raycluster serve stop` ends it.\n" in serve.stderr
    assert told(hosts_serve) == ["inspect"]


@pytest.mark.parametrize("now", [{"stopped": {"model": MODEL, "at": 0}}, {}], ids=["stopped", "gone"])
def test_what_another_run_has_ended_is_not_to_be_stopped_once_more(
    hosts_serve: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch, now: dict[str, Any]
) -> None:
    monkeypatch.setattr(Fleet, "timeouts", Timeouts(doubt=0.0))
    ready(hosts_serve, line(**starting()))
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(spec=None, **now)))
    serve = raycluster("serve", MODEL, "--", "--max-model-len", "4096")
    assert serve.exit_code == 1
    assert "this one has ended nothing: `raycluster serve status` tells how it is.\n" in serve.stderr


def test_a_connection_that_is_lost_while_it_loads_leaves_it_there(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    gone = Failure(FailureKind.UNREACHABLE, "does not answer any more")
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**starting())), gone)
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, serve.stdout) == (1, "")
    assert f"✗ whether {MODEL} is served is not known: gpu1: does not answer any more\n" in serve.stderr
    assert "It may still run there: `raycluster serve status` tells" in serve.stderr
    assert told(hosts_serve) == ["start", "inspect", "inspect"]


def test_a_lock_that_is_lost_while_it_starts_leaves_it_there(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    """The step that meets the loss first may not undo what was begun: the lock goes the same way."""
    lost, stopped = Event(), Event()
    gone = Failure(FailureKind.UNREACHABLE, "gpu1 does not answer any more")

    def misses(_command: Command, _cancel: Event) -> Answer:
        lost.set()
        return gone

    def stops(_command: Command, _cancel: Event) -> Answer:
        stopped.set()
        return Output(0)

    def misses_a_little_later(_command: Command, _cancel: Event) -> Answer:
        stopped.wait(0.5)
        return gone

    hosts_serve.streams("gpu1", sent("hold-lock"), HELD, lost, misses_a_little_later)
    hosts_serve.on("gpu1", supervisor("start"), misses)
    hosts_serve.on("gpu1", supervisor("stop"), stops)
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, serve.stdout) == (1, "")
    assert "its lock on gpu1 was lost: gpu1 does not answer any more" in serve.stderr
    assert "It may still run there: `raycluster serve status` tells" in serve.stderr
    assert told(hosts_serve) == ["start"]


def test_while_it_loads_others_may_have_the_lock_which_is_taken_again_to_clean_up(
    hosts_serve: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed, locks = Event(), list[str]()

    def frees(_command: Command, cancel: Event) -> Answer:
        assert reached(cancel)
        freed.set()
        return Failure(FailureKind.CANCELLED, "cancelled")

    def waits_without_it(_command: Command, _cancel: Event) -> Answer:
        assert reached(freed)
        return Output(0, line(**ended(GATED)))

    def first(command: Command) -> bool:
        is_one = sent("hold-lock")(command)
        locks.extend(["taken"] * is_one)
        return is_one and len(locks) == 1

    hosts_serve.on("gpu1", supervisor("inspect"), waits_without_it)
    hosts_serve.on("gpu1", supervisor("start"), Output(0, "17a\n"))
    hosts_serve.streams("gpu1", sent("hold-lock"), "4711", "1000", "ben@desk", "up", "1065", Output(75))
    hosts_serve.streams("gpu1", first, HELD, frees)
    monkeypatch.setattr("orchestrator.cli.run.session.LOCK_SECONDS", 1.0)
    monkeypatch.setattr("orchestrator.cli.run.session.LOCK_AGAIN", 0.02)
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, len(locks) > 2) == (1, True)
    assert "! gpu1: waits for its turn: cluster demo is locked: ben@desk has run" in serve.stderr
    assert "the model is gated" in serve.stderr
    assert "It may still run there: `raycluster serve status` tells" in serve.stderr
    assert told(hosts_serve)[-1] == "inspect"
    locks.clear()
    assert "Nothing of it is left running" not in serve.stderr
    hosts_serve.streams("gpu1", sent("hold-lock"), HELD, frees)
    serve = raycluster("serve", MODEL)
    assert "Nothing of it is left running" in serve.stderr
    assert hosts_serve.sent[-1].command.argv[-3:] == ("stop", "qwen3-32b", "17a")


@pytest.mark.parametrize("now", [{}, standing("raycluster-demo-gpu1", Id="another")], ids=["down", "restart"])
def test_a_server_whose_container_is_gone_while_it_loads_is_not_said_to_run_on(
    hosts_serve: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch, now: dict[str, Said]
) -> None:
    """As after a `down` or `restart` from another terminal."""
    monkeypatch.setattr(Fleet, "timeouts", Timeouts(doubt=0.0))
    gone = Event()

    def no_container(_command: Command, _cancel: Event) -> Answer:
        gone.set()
        return Output(1, "", "Error response from daemon: No such container: raycluster-demo-gpu1\n")

    table = Said(ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2")))
    standing_now = seen("10.0.0.1", **standing("raycluster-demo-gpu1"), ray=table)
    looks = lambda *_: seen("10.0.0.1", **now) if gone.is_set() else standing_now  # noqa: E731
    hosts_serve.on("gpu1", sent("observe"), looks)
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(**starting())), no_container)
    serve = raycluster("serve", MODEL)
    assert serve.exit_code == 1
    assert f"✗ {MODEL} is not served\n" in serve.stderr
    assert "nothing of the server is there any more: has its container ended?" in serve.stderr
    assert "      | Error response from daemon: No such container: raycluster-demo-gpu1\n" in serve.stderr
    assert "Nothing of it is left: its container is gone.\n" in serve.stderr
    assert "may still run" not in serve.stderr
    assert told(hosts_serve) == ["start", "inspect", "inspect"]


@pytest.mark.parametrize("words", [(MODEL,), ("stop",)])
def test_a_cluster_that_another_run_works_on_is_left_alone(
    words: tuple[str], hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    hosts_serve.streams("gpu1", sent("hold-lock"), "4711", "1000", "ben@desk", "up", "1065", Output(75))
    serve = raycluster("serve", *words)
    assert (serve.exit_code, serve.stdout) == (4, "")
    assert "cluster demo is locked: ben@desk has run `raycluster up` for 65 s" in serve.stderr
    assert len(hosts_serve.sent) == 1


def test_another_serve_that_starts_something_is_waited_for(
    hosts_serve: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = list[str]()

    def is_first(command: Command) -> bool:
        is_one = sent("hold-lock")(command)
        locks.extend(["asked"] * is_one)
        return is_one and len(locks) <= 2

    monkeypatch.setattr("orchestrator.cli.run.session.LOCK_AGAIN", 0.02)
    hosts_serve.streams("gpu1", is_first, "4711", "1000", "ben@desk", "serve", "1003", Output(75))
    serve = raycluster("serve", MODEL)
    assert (serve.exit_code, len(locks)) == (0, 3)
    waits = (
        "! gpu1: waits for its turn: cluster demo is locked: ben@desk has run `raycluster serve` for 3 s\n"
    )
    assert waits in serve.stderr
    assert f"{MODEL} answers at" in serve.stdout


# --- vLLM's own arguments ---


def test_an_option_that_vllm_has_not_is_told_in_a_line_before_anything_starts(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    serve = raycluster("serve", MODEL, "--", "--max-modle-len", "4096")
    assert (serve.exit_code, serve.stdout, told(hosts_serve)) == (1, "", [])
    assert "\n  gpu1  --max-modle-len: vLLM 0.32.0 has no such option" in serve.stderr
    assert "→ raycluster serve Qwen/Qwen3-32B -- --max-model-len" in serve.stderr
    assert "Nothing was started." in serve.stderr


@pytest.mark.parametrize(("names", "code"), [([["--of-a-plugin"]], 0), ([["--port"]], 1)])
def test_where_plugins_may_have_added_an_option_vllms_own_parser_decides(
    hosts_serve: FakeFleet, raycluster: Raycluster, names: list[list[str]], code: int
) -> None:
    options(hosts_serve, all=False)
    options(hosts_serve, by="parser", names=names)
    serve = raycluster("serve", MODEL, "--", "--of-a-plugin", "4")
    assert (serve.exit_code, bool(told(hosts_serve))) == (code, not code)


def test_where_its_parser_does_not_tell_in_time_vllm_is_started_and_tells_by_itself(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    options(hosts_serve, all=False)
    hosts_serve.on("gpu1", asked("parser"), Output(124))
    assert raycluster("serve", MODEL, "--", "--of-a-plugin", "4").exit_code == 0


def test_what_a_file_of_arguments_says_is_known_and_the_command_line_wins(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    options(hosts_serve, file=["--port", "9000", "-tp", "4"])
    words = ("--", "--config", "/serve.yaml", "-tp", "8")
    assert raycluster("serve", MODEL, *words).exit_code == 0
    made = spec(hosts_serve)
    assert made["url"] == "http://10.0.0.1:9000"
    assert made["args"] == ["--port", "9000", "-tp", "4", "-tp", "8"]
    assert made["argv"][-6:] == made["args"]


def test_a_file_of_arguments_that_is_not_there_is_told_before_anything_starts(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    options(hosts_serve, trouble="absent", words="No such file or directory")
    serve = raycluster("serve", MODEL, "--", "--config", "/serve.yaml")
    assert (serve.exit_code, told(hosts_serve)) == (1, [])
    assert (
        "--config /serve.yaml: the head's container cannot read it: No such file or directory" in serve.stderr
    )


def test_without_arguments_nobody_is_asked_for_options(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    assert raycluster("serve", MODEL).exit_code == 0
    assert not [each for each in hosts_serve.sent if asked("sources")(each.command)]


# --- what is typed ---


@pytest.mark.parametrize(
    ("words", "args"),
    [((), ("--max-model-len", "4096")), (("--", "-tp", "2"), ("--max-model-len", "4096", "-tp", "2"))],
)
def test_without_a_model_it_is_the_inventorys(
    hosts_serve: FakeFleet, folder: Path, raycluster: Raycluster, words: tuple[str], args: tuple[str]
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + SERVED)
    assert raycluster("serve", *words).exit_code == 0
    assert spec(hosts_serve)["model"] == MODEL
    assert tuple(spec(hosts_serve)["args"]) == args


def test_the_inventorys_model_is_watched_as_it_says_also_when_it_is_named(
    hosts_serve: FakeFleet, folder: Path, raycluster: Raycluster
) -> None:
    watched = f"serve: {{model: {MODEL}, liveness: off, stalled_after: 90}}\n"
    (folder / "inventory.yaml").write_text(INVENTORY + watched)
    assert raycluster("serve", MODEL).exit_code == 0
    told = spec(hosts_serve)
    assert (told["args"], told["liveness"], told["stalled_after"]) == ([], False, 5400)


def test_a_model_that_is_named_has_nothing_of_the_inventorys(
    hosts_serve: FakeFleet, folder: Path, raycluster: Raycluster
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + SERVED)
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(server="another")))
    assert raycluster("serve", "-y", "another").exit_code == 0
    assert (spec(hosts_serve)["model"], spec(hosts_serve)["args"]) == ("another", [])


@pytest.mark.parametrize("words", [(), ("",), ("--", "-tp", "2")])
def test_without_a_model_anywhere_it_says_how_to_name_one(
    hosts: FakeFleet, raycluster: Raycluster, words: tuple[str]
) -> None:
    serve = raycluster("serve", *words)
    assert (serve.exit_code, serve.stdout, hosts.sent) == (2, "", [])
    assert "no model: name one, as in `raycluster serve Qwen/Qwen3-32B`" in serve.stderr


@pytest.mark.parametrize(
    ("words", "name", "meant"),
    [
        ((MODEL, "--max-model-len", "4096"), "--max-model-len", f"{MODEL} -- --max-model-len 4096"),
        (("--max-model-len=4096", MODEL), "--max-model-len", f"{MODEL} -- --max-model-len=4096"),
        ((MODEL, "-tp", "2", "-i", "x.yaml"), "-tp", f"{MODEL} -i x.yaml -- -tp 2"),
        ((MODEL, "-o", "jsonl", "-tp=2", "--", "-x"), "-tp", f"{MODEL} -o jsonl -- -tp=2 -x"),
        (("start", MODEL, "-v", "--seed", "1"), "--seed", f"{MODEL} -v -- --seed 1"),
        (("--seed", "1", MODEL), "--seed", f"{MODEL} -- --seed 1"),
        (("-v", "-tp", "2", "--seed=1", MODEL), "-tp", f"-v {MODEL} -- -tp 2 --seed=1"),
        ((MODEL, "--seed", "1", "extra"), "--seed", f"{MODEL} -- --seed 1 extra"),
        ((MODEL, "--port", "1", "-tp", "2"), "-tp", f"{MODEL} --port 1 -- -tp 2"),
    ],
)
def test_vllms_own_arguments_go_after_dashes_and_whoever_forgets_them_is_told(
    hosts: FakeFleet, raycluster: Raycluster, words: tuple[str], name: str, meant: str
) -> None:
    serve = raycluster("serve", *words)
    assert (serve.exit_code, hosts.sent) == (2, [])
    assert bool(serve.stdout) == ("jsonl" in words)
    told = f"vLLM's own come last, after --: raycluster serve {meant}"
    assert serve.stderr == f"no such option: {name}\n→ {told}\n"


def test_an_option_that_is_nearly_ours_may_be_ours(raycluster: Raycluster) -> None:
    for words, meant in (
        (("--gups", "4", MODEL), f"--gpus 4 {MODEL}"),
        ((MODEL, "--gups=4"), f"{MODEL} --gpus=4"),
        ((MODEL, "--gups", "4", "-tp", "2", "--", "-x"), f"{MODEL} --gpus 4 -- -tp 2 -x"),
    ):
        assert raycluster("serve", *words).stderr == f"no such option: --gups → raycluster serve {meant}\n"
    stop = raycluster("serve", "stop", "-l", "gpu1")
    assert stop.stderr == "no such option: -l → it takes no hosts: raycluster serve stop -h\n"


@pytest.mark.parametrize("word", ["status", "stop", "logs", "start"])
def test_a_command_that_comes_too_late_is_no_model(
    hosts: FakeFleet, raycluster: Raycluster, word: str
) -> None:
    serve = raycluster("serve", "-i", "inventory.yaml", word)
    assert (serve.exit_code, hosts.sent) == (2, [])
    assert f'"{word}" goes first: raycluster serve {word} -i inventory.yaml\n' in serve.stderr


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("args", '"args" is neither ORG/NAME nor a folder; if it is a model: raycluster serve -y args'),
        ("model", "MODEL stands for the name of one: raycluster serve Qwen/Qwen3-32B"),
        ("model org/name", "MODEL stands for the name of one: raycluster serve org/name"),
    ],
)
def test_a_word_of_the_help_is_no_model(
    hosts: FakeFleet, raycluster: Raycluster, typed: str, told: str
) -> None:
    serve = raycluster("serve", *typed.split())
    assert (serve.exit_code, serve.stderr, hosts.sent) == (2, f"{told}\n", [])


def test_a_word_too_much_is_refused_before_a_person_is_asked_for_another(
    hosts: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.cli.run.prompt.somebody_there", lambda: True)
    serve = raycluster("serve", "a", "b", "--plan")
    assert serve.stderr == (
        '"b" is too much: after MODEL come options of vLLM, as in -- --max-model-len 32768; '
        "without it: raycluster serve a --plan\n"
    )
    near = raycluster("serve", "stpo", "b")
    assert near.stderr == '"stpo" is neither ORG/NAME nor a folder → `raycluster serve stop`\n'
    assert (serve.exit_code, near.exit_code, hosts.sent) == (2, 2, [])


def test_our_own_options_are_ours_wherever_they_stand(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    del hosts_serve
    serve = raycluster("serve", "-iinventory.yaml", "-vv", MODEL, "--output=jsonl")
    assert (serve.exit_code, events(serve)[-1]["verdict"]) == (0, "done")


def test_what_to_do_next_names_the_inventory_that_was_named(
    hosts_serve: FakeFleet, folder: Path, raycluster: Raycluster
) -> None:
    del hosts_serve
    (folder / "my inventory.yaml").write_text(INVENTORY)
    serve = raycluster("serve", "-i", "my inventory.yaml", MODEL)
    assert "raycluster serve logs -i 'my inventory.yaml' -f\n" in serve.stdout


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


# --- whether it fits ---


def knows_model(fleet: FakeFleet, config: dict[str, Any], mib: int = 0) -> None:
    """All hosts have it whole, and tell of its shape; their GPUs of so much memory, or of none."""
    has_model(fleet, "*")
    revision = {"commit": "a" * 40, "names": ["main"], "state": "whole", "files": 3, "of": 3, "bytes": 9}
    revision |= {"missing": 0, "bad": {}, "lacks": [], "offline": True}
    revision["shape"] = shapes.told(config, *shapes.tensors(config))
    model = {"name": MODEL, "bytes": 9, "unfinished": 0, "unused": 0, "astray": [], "revisions": [revision]}
    gpus = [{"name": "NVIDIA Stand-in", "bytes": mib << 20}] * 8 if mib else []
    cache = {"hub": "/hub", "free": 9, "unused": 0, "models": [model], "gpus": gpus}
    fleet.on("*", sent("fit-models"), Output(0, f"\x1e{json.dumps(cache)}"))


def test_a_model_whose_shape_is_known_takes_the_fewest_hosts_that_it_fits(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    knows_model(hosts_serve, shapes.LLAMA_8B, 24564)
    serve = raycluster("serve", MODEL)
    assert serve.exit_code == 0, serve.stderr
    assert "for 8 GPUs on 1 host; 8 of 16 GPUs are left" in serve.stderr
    argv = spec(hosts_serve)["argv"]
    assert argv[argv.index("--tensor-parallel-size") + 1] == "8"
    assert argv[argv.index("--pipeline-parallel-size") + 1] == "1"


def test_one_whose_gpus_tell_nothing_takes_all_of_them(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    knows_model(hosts_serve, shapes.LLAMA_8B)
    assert raycluster("serve", MODEL).exit_code == 0
    argv = spec(hosts_serve)["argv"]
    assert argv[argv.index("--pipeline-parallel-size") + 1] == "2"


def test_one_that_does_not_fit_is_refused_before_anything_starts_and_force_goes_on(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    knows_model(hosts_serve, shapes.LLAMA_70B, 8192)
    serve = raycluster("serve", MODEL)
    assert serve.exit_code == 1
    assert f"gpu1  {MODEL} does not fit: a GPU would hold " in serve.stderr
    assert f"; `raycluster serve {MODEL} --force` starts it all the same\n" in serve.stderr
    assert "Nothing was started." in serve.stderr
    assert told(hosts_serve) == []
    forced = raycluster("serve", MODEL, "--force")
    assert forced.exit_code == 0, forced.stderr
    assert f"! gpu1: {MODEL} does not fit: " in forced.stderr
    assert "--force" not in forced.stderr


def test_one_that_is_close_is_warned_of_and_started(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    knows_model(hosts_serve, shapes.LLAMA_70B, 15500)
    serve = raycluster("serve", MODEL)
    assert serve.exit_code == 0, serve.stderr
    assert f"! gpu1: {MODEL} may not fit: a GPU would hold 8.2 GiB of weights" in serve.stderr


def test_sizes_that_the_model_cannot_be_cut_to_are_refused(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    knows_model(hosts_serve, shapes.LLAMA_8B)
    serve = raycluster("serve", MODEL, "--", "-tp", "3")
    assert serve.exit_code == 1
    assert "gpu1  --tensor-parallel-size 3: its 32 heads cannot be cut by 3\n" in serve.stderr
    assert told(hosts_serve) == []


@pytest.mark.parametrize(("mib", "code"), [(24564, 0), (0, 0), (4096, 1)])
def test_a_plan_shows_sizes_and_memory_and_starts_nothing(
    hosts_serve: FakeFleet, raycluster: Raycluster, mib: int, code: int
) -> None:
    knows_model(hosts_serve, shapes.LLAMA_70B, mib)
    plan = raycluster("serve", MODEL, "--plan")
    assert plan.exit_code == code, plan.stderr
    lines = plan.stdout.splitlines()
    assert lines[0].startswith(MODEL)
    assert any(line.startswith("  sizes ") for line in lines)
    assert max(map(len, lines)) <= 80
    assert told(hosts_serve) == []
    answer = raycluster("serve", "--plan", MODEL, "-o", "json")
    assert answer.exit_code == code
    schema = Draft202012Validator(answers.schema("fit"))
    assert [error.message for error in schema.iter_errors(json.loads(answer.stdout))] == []
    assert (json.loads(answer.stdout)["verdict"] == "does not fit") is bool(code)


def test_a_plan_of_what_cannot_be_served_says_why(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    plan = raycluster("serve", "--plan", MODEL, "--", "-tp", "64")
    assert (plan.exit_code, plan.stdout) == (1, "")
    why = "tensor parallel 64 needs 64 GPUs, and Ray lists 16"
    assert f"✗ gpu1  {why}\n" in plan.stderr
    answer = raycluster("serve", "--plan", MODEL, "-o", "json", "--", "-tp", "64")
    assert json.loads(answer.stdout)["trouble"] == f"gpu1: {why}"
    assert told(hosts_serve) == []


@pytest.mark.parametrize("words", [("-o", "json"), ("--plan", "-o", "jsonl")])
def test_a_plan_is_one_answer_and_serving_is_events(
    hosts_serve: FakeFleet, raycluster: Raycluster, words: tuple[str, ...]
) -> None:
    assert raycluster("serve", MODEL, *words).exit_code == 2
    assert hosts_serve.sent == []


def test_a_plan_is_of_one_model(hosts_serve: FakeFleet, raycluster: Raycluster, folder: Path) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + "serve: [{model: org/a}, {model: org/b}]\n")
    plan = raycluster("serve", "--plan")
    assert plan.exit_code == 2
    assert "--plan is for one model, and the inventory has a, b: name one" in plan.stderr
    assert hosts_serve.sent == []
