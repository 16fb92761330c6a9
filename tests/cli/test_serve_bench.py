"""`raycluster serve bench`, as a person sees it."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from orchestrator.cli.run import bench_history
from orchestrator.plan.command import Command
from orchestrator.plan.facts.network_test import AllReduce, Network, Pair
from orchestrator.remote.transport import Output
from tests.cli.conftest import Raycluster
from tests.cli.serving import MODEL, ready
from tests.plan.serving.test_bench import TOLD
from tests.plan.serving.worlds import line, starting
from tests.remote.fakes import FakeFleet

NETWORK = Network(
    "nccl",
    AllReduce(right=True, bytes=1, seconds=1.0, latency=1.0),
    "RDMA",
    (Pair("gpu1", "gpu2", 9e10, 8e10, 4e-6, "RDMA"), Pair("gpu1", "gpu3", 9e10, 9e10, 5e-6, "RDMA")),
)


def is_bench(command: Command) -> bool:
    """Whether it measures."""
    return "--num-prompts" in command.argv[-1]


@pytest.fixture
def served(cluster_stands: FakeFleet) -> FakeFleet:
    ready(cluster_stands, line())
    return cluster_stands


def measures(fleet: FakeFleet, **figures: Any) -> None:
    """What vLLM's benchmark will have found."""
    told = {"figures": TOLD | figures, "versions": {"vllm": "0.32.0", "ray": "2.60.0"}, "said": []}
    fleet.streams("gpu1", is_bench, f"\x1e{json.dumps(told)}", Output(0))


def words(fleet: FakeFleet) -> list[str]:
    """The words for vLLM's benchmark."""
    (found,) = (each.command for each in fleet.sent if is_bench(each.command))
    made: list[str] = json.loads(found.argv[-1])
    return made


def test_what_was_measured_is_shown_and_kept(served: FakeFleet, raycluster: Raycluster) -> None:
    measures(served)
    bench_history.keep_fabric("demo", NETWORK)
    bench = raycluster("serve", "bench", "--requests", "100", "--at-once", "8")
    assert bench.exit_code == 0, bench.stderr
    lines = bench.stdout.splitlines()
    assert lines[0].endswith(": 100 requests, 8 at a time, 512 tokens in, 128 out")
    assert [each.split() for each in lines[1:4]] == [
        ["requests", "3.25", "/s"],
        ["tokens", "416.0", "/s"],
        ["first", "token,", "p50", "120", "ms"],
    ]
    assert "network: 80.0 Gb/s, 5 µs, RDMA (check --deep of " in bench.stdout
    told = words(served)
    assert told[told.index("--num-prompts") + 1] == "100"
    assert told[told.index("--base-url") + 1] == "http://10.0.0.1:8000"
    assert told[told.index("--model") + 1] == MODEL
    (kept,) = bench_history.runs()
    assert (kept.cluster, kept.model, kept.hosts) == ("demo", MODEL, 3)
    assert kept.versions == {"vllm": "0.32.0", "ray": "2.60.0"}
    assert kept.fabric
    assert kept.fabric.bandwidth == 8e10


def test_the_run_before_stands_beside_it(served: FakeFleet, raycluster: Raycluster) -> None:
    measures(served)
    assert raycluster("serve", "bench").exit_code == 0
    measures(served, output_throughput=457.6)
    bench = raycluster("serve", "bench", "--at-once", "8", "--compare")
    assert bench.exit_code == 0, bench.stderr
    (tokens,) = (each.split() for each in bench.stdout.splitlines() if each.startswith("tokens"))
    assert tokens == ["tokens", "457.6", "/s", "416.0", "/s", "+10.0", "%"]
    assert "load: 200 requests, 16 at a time" in bench.stdout


def test_the_last_runs_are_drawn(served: FakeFleet, folder: Path, raycluster: Raycluster) -> None:
    for _ in range(2):
        measures(served)
        bench = raycluster("serve", "bench", "--plot", "runs.svg")
        assert bench.exit_code == 0, bench.stderr
    assert bench.stdout.count("█ 416.0/s, first 340 ms p99") == 2
    drawing = ET.fromstring((folder / "runs.svg").read_text())
    assert len(drawing.findall("{http://www.w3.org/2000/svg}rect")) == 2


def test_for_programs_it_is_what_is_kept_and_has_a_schema(served: FakeFleet, raycluster: Raycluster) -> None:
    measures(served)
    told = json.loads(raycluster("serve", "bench", "-o", "json").stdout)
    assert told["figures"]["tokens_per_second"] == 416.0
    assert told.items() >= json.loads(bench_history.file().read_text()).items()
    schema = json.loads(raycluster("config", "schema", "bench").stdout)
    assert [*Draft202012Validator(schema).iter_errors(told)] == []


def test_requests_without_an_answer_are_told(served: FakeFleet, raycluster: Raycluster) -> None:
    measures(served, completed=190, failed=10)
    assert "10 of 200 requests had no answer" in raycluster("serve", "bench").stdout


def test_where_nothing_was_measured_vllms_own_words_tell_why(
    served: FakeFleet, raycluster: Raycluster
) -> None:
    told = {"figures": {}, "versions": {}, "said": ["ImportError: no pandas"]}
    served.streams("gpu1", is_bench, f"\x1e{json.dumps(told)}", Output(0))
    bench = raycluster("serve", "bench")
    assert (bench.exit_code, bench.stdout) == (1, "")
    assert "gpu1  vllm bench serve: ImportError: no pandas" in bench.stderr
    assert [*bench_history.runs()] == []


@pytest.mark.parametrize(
    ("now", "words", "said"),
    [
        ("", (), "no model is served"),
        (line(), ("other",), "nothing called other is served; there is qwen3-32b"),
        (line(**starting()), (), f"{MODEL} does not answer now"),
    ],
)
def test_without_a_model_that_answers_nothing_is_measured(
    cluster_stands: FakeFleet, raycluster: Raycluster, now: str, words: tuple[str, ...], said: str
) -> None:
    ready(cluster_stands, now)
    bench = raycluster("serve", "bench", *words)
    assert (bench.exit_code, bench.stdout) == (1, "")
    assert f"gpu1  {said}" in bench.stderr


def test_a_drawing_that_could_not_be_kept_is_told_before_anything_is_measured(
    served: FakeFleet, raycluster: Raycluster
) -> None:
    assert raycluster("serve", "bench", "--plot", "nowhere/runs.svg").exit_code == 2
    assert served.sent == []


@pytest.mark.usefixtures("hosts")
def test_on_a_cluster_that_is_down_that_is_what_is_told(raycluster: Raycluster) -> None:
    asked = raycluster("serve", "bench")
    assert asked.exit_code == 1
    assert "the cluster is not up" in asked.stderr
    assert "raycluster up" in asked.stderr
    assert "no model is served" not in asked.stderr
