"""Benchmarks: what vLLM is told, what it has measured, and two runs beside each other."""

import json
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.plan.problem import Problem
from orchestrator.plan.serving.bench import (
    BenchRun,
    Fabric,
    Figures,
    Load,
    differences,
    of_server,
    parse_measured,
    parse_runs,
    rows,
    words,
)

TOLD: dict[str, Any] = {
    "duration": 61.5,
    "completed": 199,
    "failed": 1,
    "request_throughput": 3.25,
    "output_throughput": 416.0,
    "p50_ttft_ms": 120.4,
    "p99_ttft_ms": 340.0,
    "p50_itl_ms": 31.2,
    "p99_itl_ms": 80.0,
}
FIGURES = Figures(61.5, 199, 1, 3.25, 416.0, 120.4, 340.0, 31.2, 80.0)
RUN = BenchRun(
    *("2026-11-30T10:00:00", "demo", "qwen3", "Qwen/Qwen3-32B", ("--max-model-len", "4096"), "vllm:v1"),
    versions={"vllm": "0.32.0", "ray": "2.60.0"},
    hosts=2,
    load=Load(),
    figures=FIGURES,
    fabric=Fabric("2026-11-29T10:00:00", "RDMA", 9e10, 4e-6),
)


def line(**told: Any) -> str:
    return f"INFO hello\n\x1e{json.dumps({'figures': TOLD, 'versions': {}, 'said': []} | told)}\n"


def test_the_same_random_requests_are_asked_in_each_run() -> None:
    told = " ".join(words(Load(100, 8, 64, 32), "http://10.0.0.1:8000", "qwen", "Qwen/Qwen3-32B"))
    assert "--base-url http://10.0.0.1:8000 --model qwen --tokenizer Qwen/Qwen3-32B" in told
    assert "--num-prompts 100 --max-concurrency 8" in told
    assert "--random-input-len 64 --random-output-len 32" in told
    assert "--seed 0" in told


def test_what_was_measured_is_read_with_the_versions_that_did() -> None:
    found = parse_measured(line(versions={"vllm": "0.32.0", "ray": ""}), "")
    assert not isinstance(found, Problem)
    assert (found.figures, found.versions) == (FIGURES, {"vllm": "0.32.0"})


@pytest.mark.parametrize(
    ("stdout", "stderr", "said"),
    [
        (line(figures={}, said=["INFO x", "ValueError: no such model"]), "", "ValueError: no such model"),
        ("", "docker: no such container", "docker: no such container"),
        (line(figures={"duration": "x"}), "", "it says nothing"),
    ],
)
def test_where_nothing_was_measured_vllms_own_words_tell_why(stdout: str, stderr: str, said: str) -> None:
    found = parse_measured(stdout, stderr)
    assert isinstance(found, Problem)
    assert found.text == f"vllm bench serve: {said}"


def test_a_run_that_is_kept_is_read_again_and_what_nobody_can_read_is_left_out() -> None:
    lines = "\n".join(("", "{", '{"when": 1}', RUN.json(), replace(RUN, fabric=None).json()))
    assert [*parse_runs(lines)] == [RUN, replace(RUN, fabric=None)]


def test_only_runs_of_the_same_server_are_compared() -> None:
    others = (replace(RUN, server="other"), replace(RUN, cluster="other"))
    assert of_server(iter((*others, RUN)), RUN) == (RUN,)


def test_a_change_is_told_with_whether_it_is_for_the_better() -> None:
    faster = replace(FIGURES, tokens_per_second=457.6, first_p99=374.0)
    told = {row.label: row for row in rows(faster, FIGURES)}
    assert (told["tokens"].now, told["tokens"].before) == ("457.6 /s", "416.0 /s")
    assert (told["tokens"].change, told["tokens"].better) == ("+10.0 %", True)
    assert (told["first token, p99"].change, told["first token, p99"].better) == ("+10.0 %", False)
    assert (told["requests"].change, told["requests"].better) == ("+0.0 %", None)
    assert {row.before for row in rows(FIGURES, None)} == {""}


def test_a_run_before_it_of_nothing_has_no_percentage_of_it() -> None:
    assert rows(FIGURES, replace(FIGURES, first_p50=0.0))[2].change == "+0.0 %"


def test_what_else_is_not_as_it_was_is_told() -> None:
    other = replace(RUN, versions={"vllm": "0.33.0"}, load=Load(at_once=8))
    assert differences(other, RUN) == (
        "vllm: 0.32.0 → 0.33.0",
        "ray: 2.60.0 → none",
        "load: 200 requests, 16 at a time, 512 tokens in, 128 out → "
        "200 requests, 8 at a time, 512 tokens in, 128 out",
    )
    assert differences(RUN, RUN) == ()
