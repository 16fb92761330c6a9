"""`raycluster serve` of a model whose shape is known: whether it fits, and `--plan`."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator.cli.output import json as answers
from orchestrator.remote.transport import Output
from tests.cli import serving
from tests.cli.conftest import INVENTORY, Raycluster, sent
from tests.cli.serving import MODEL, has_model, spec, told
from tests.plan.serving import shapes
from tests.remote.fakes import FakeFleet

hosts_serve = serving.hosts_serve


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
