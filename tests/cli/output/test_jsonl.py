"""`-o jsonl`: what programs read."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import Result

from orchestrator.cli.output import json as answers
from orchestrator.cli.output.jsonl import as_events
from orchestrator.cli.run.run_log import Mask
from orchestrator.plan.command import Command
from orchestrator.plan.progress import Progress
from orchestrator.plan.steps import Run
from orchestrator.remote.execute.events import StepAdvanced
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import INVENTORY, Raycluster, only_looked, sent
from tests.plan.worlds import cluster
from tests.remote.fakes import FakeFleet

PUBLISHED = Draft202012Validator(answers.schema("events"))


def events(run: Result) -> list[dict[str, Any]]:
    """The lines, each as the schema has it."""
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    for line in lines:
        assert [error.message for error in PUBLISHED.iter_errors(line)] == []
    return lines


def kinds(run: Result) -> list[str]:
    return [event["event"] for event in events(run)]


def test_all_that_happens_is_a_line_and_the_last_says_how_it_ended(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    del hosts
    up = raycluster("up", "-o", "jsonl")
    assert (up.exit_code, up.stderr) == (0, "")
    lines = events(up)
    assert {line["version"] for line in lines} == {2}
    assert kinds(up)[:5] == ["look", "host", "host", "plan", "phase"]
    plan = next(line for line in lines if line["event"] == "plan")
    assert plan["title"] == "bring up cluster demo"
    assert plan["phases"] == ["Start the head", "Join the workers"]
    assert plan["changes"][1] == {"host": "gpu2", "what": "no container yet", "fix": ""}
    ended = [line["step"] for line in lines if line["event"] == "step-ended" and line["host"] == "gpu2"]
    assert ended[-1] == "wait until Ray lists it"
    last = lines[-1]
    assert (last["event"], last["command"], last["cluster"]) == ("result", "up", "demo")
    assert (last["exit_code"], last["verdict"], last["failures"]) == (0, "done", [])
    assert last["message"].startswith("cluster demo is up: Ray 2.56.0 lists all 2 hosts, 16 GPUs")


def test_a_failure_is_told_with_its_host_its_last_words_and_its_remedy(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    hosts.on("gpu2", sent("run"), Output(125, "", "could not select device driver"))
    up = raycluster("up", "-o", "jsonl")
    assert (up.exit_code, up.stderr) == (1, "")
    last = events(up)[-1]
    assert (last["exit_code"], last["verdict"]) == (1, "failed")
    assert last["message"] == "cluster demo is not complete: 1 of 2 hosts failed"
    (failure,) = last["failures"]
    assert (failure["hosts"], failure["what"]) == (
        ["gpu2"],
        "start its container: could not select device driver (exit code 125)",
    )
    assert failure["detail"] == "could not select device driver"
    assert failure["fix"].startswith("install the NVIDIA container toolkit")
    assert Path(last["log"]).is_file()


def test_a_host_that_cannot_be_asked_is_in_the_plan_and_in_the_result(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    cluster_stands.on(
        "gpu2", sent("observe"), Failure(FailureKind.UNREACHABLE, "does not answer", fix="plug it in")
    )
    down = raycluster("down", "-o", "jsonl")
    lines = events(down)
    told = {"host": "gpu2", "what": "does not answer", "fix": "plug it in"}
    assert next(line for line in lines if line["event"] == "plan")["refusals"] == [told]
    assert lines[-1]["message"] == "cluster demo is not known to be down: 1 host failed"
    assert lines[-1]["failures"][0]["hosts"] == ["gpu2"]


def test_a_run_that_finds_the_lock_held_says_so_in_its_only_line(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    hosts.streams("gpu1", sent("hold-lock"), "4711", "1000", "ben@desk", "down", "1065", Output(75))
    up = raycluster("up", "-o", "jsonl")
    assert up.exit_code == 4
    (line,) = events(up)
    assert (line["exit_code"], line["verdict"]) == (4, "locked")
    assert "ben@desk has run `raycluster down` for 65 s" in line["message"]


def test_a_plan_that_is_not_carried_out_ends_in_a_result_too(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    shown = raycluster("restart", "--dry-run", "-o", "jsonl")
    lines = events(shown)
    assert (lines[-1]["verdict"], lines[-1]["exit_code"]) == ("planned", 0)
    assert lines[-2]["event"] == "plan"
    assert only_looked(cluster_stands)


def test_no_value_of_a_secret_is_in_any_line_however_json_would_spell_it(
    hosts: FakeFleet, folder: Path, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = 'zw"ölf\\geheime\tZeichen'
    (folder / "inventory.yaml").write_text(INVENTORY + "secrets: [HF_TOKEN]\n")
    monkeypatch.setenv("HF_TOKEN", secret)
    hosts.on("gpu2", sent("run"), Output(125, "", f"what is {secret}?"))
    up = raycluster("up", "-o", "jsonl")
    assert events(up)[-1]["failures"][0]["detail"] == "what is <HF_TOKEN>?"
    assert "geheime" not in up.stdout


@pytest.mark.parametrize("words", [("status",), ("lock", "status"), ("check",)])
def test_what_only_reads_has_no_events(raycluster: Raycluster, words: tuple[str, ...]) -> None:
    assert raycluster(*words, "-o", "jsonl").exit_code == 2


def test_progress_of_a_pull_is_told(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.on("*", sent("held"), Output(0, '{"Id": "sha256:one", "RootFS": {"Layers": ["sha256:a"]}}'))
    hosts.streams("*", sent("pull"), "aa: Pulling fs layer", "bb: Pulling fs layer", Output(0))
    pull = raycluster("pull", "-o", "jsonl")
    assert pull.exit_code == 0
    far = [line for line in events(pull) if line["event"] == "step-progress"]
    assert [line["progress"] for line in far] == [
        "0 of 1 layers",
        "0 of 1 layers",
    ]  # one a second of each host
    assert (far[0]["done"], far[0]["total"], far[0]["unit"], far[0]["rate"]) == (0, 1, "layers", None)
    assert events(pull)[-1]["message"].startswith("all 2 hosts have vllm/vllm-openai:v0.17.1, sha256:one")


def test_what_has_a_size_is_told_in_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    step = Run("gpu2", "load it", Command(("load",)))
    tell = as_events("copy", cluster(), Mask())
    tell(StepAdvanced(step, Progress(done=30_000_000, total=90_000_000, rate=2e6)))
    line = json.loads(capsys.readouterr().out)
    assert [error.message for error in PUBLISHED.iter_errors(line)] == []
    assert (line["host"], line["step"]) == ("gpu2", "load it")
    assert line["progress"] == "30 MB of 90 MB (33 %), 2 MB/s, 30 s left"
    numbers = {
        "done": 30_000_000,
        "total": 90_000_000,
        "unit": "bytes",
        "rate": 2_000_000,
        "seconds_left": 30,
    }
    assert line.items() >= numbers.items()
