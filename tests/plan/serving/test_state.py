"""What the supervisor tells is read, whatever it is."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.cluster import Model
from orchestrator.plan.serving import state as served
from orchestrator.plan.serving.health import ServerAnswers
from orchestrator.plan.serving.plan import plan_serve
from orchestrator.plan.serving.state import Behind, Served, Share
from orchestrator.plan.status.health import assess
from tests.plan.serving.worlds import FIRST, NAME, QWEN, URL, ended, line, seen, told
from tests.plan.worlds import NOW, cluster, standing, with_host

LOGS = Path(__file__).parents[2] / "vllm/logs"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def test_one_that_answers() -> None:
    well = Served(
        replace(QWEN, named=NAME),
        URL,
        QWEN.name,
        "answering",
        supervised=True,
        trouble="",
        since=60,
        starts=1,
        began=NOW - 60,
        first=json.dumps(FIRST),
    )
    assert seen() == replace(well, share=Share(8000, gpus={"gpu1": 8, "gpu2": 8, "gpu3": 8}))
    assert seen().answers


def test_one_that_has_ended() -> None:
    one = seen(**ended("line one", exit_code=3))
    assert (one.state, one.supervised, one.exit_code, one.lines) == ("ended", False, 3, ("line one",))
    assert not one.answers


def test_one_that_was_killed_has_the_exit_code_that_a_shell_tells() -> None:
    assert seen(**ended(exit_code=-9)).exit_code == 137


def test_one_whose_keeper_has_written_nothing_yet_waits() -> None:
    assert (seen(state={}).state, seen(state={}).starts) == ("waiting", 0)


@pytest.mark.parametrize("supervised", [False, "yes", 1, None])
def test_without_a_keeper_nothing_answers(supervised: object) -> None:
    assert not seen(supervised=supervised).answers


@pytest.mark.parametrize("spec", [None, {}, [], "", 0])
def test_nothing_is_served(spec: object) -> None:
    assert served.parse_served(line(spec=spec)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "null",
        "1",
        '{"spec": 1}',
        "[" * 100_000,
        line()[:-1],
        line(now=None),
        line(now="10"),
        line(state=[]),
        line(state={"starts": "many"}),
        line(state={"starts": 1e400}),
        line(lines=None),
        line(spec={"model": "m"}),
        line(spec="model"),
    ],
)
def test_what_nobody_can_read_is_nothing(text: str) -> None:
    assert served.parse_served(text) is None


@given(JSON)
def test_any_answer_is_read_or_is_nothing(anything: object) -> None:
    served.parse_served(json.dumps(anything))


@given(st.sampled_from(["spec", "state", "supervised", "now", "trouble", "name", "lines"]), JSON)
def test_any_part_of_it_may_be_anything_and_can_still_be_judged(part: str, anything: object) -> None:
    _is_judged(told() | {part: anything})


@given(
    st.sampled_from(["is", "since", "starts", "exit_code", "moved", "failures", "asked"]), JSON, st.booleans()
)
def test_any_part_of_its_state_may_be_anything(part: str, anything: object, supervised: bool) -> None:
    state = {"is": "ended", "since": NOW, "starts": 1, "exit_code": 1}
    _is_judged(told() | {"state": state | {part: anything}, "supervised": supervised, "trouble": "none"})


@given(st.sampled_from(["model", "args", "url"]), JSON)
def test_any_part_of_what_is_served_may_be_anything(part: str, anything: object) -> None:
    spec: dict[str, Any] = {"model": "m", "args": [], "url": URL, "group": None}
    _is_judged(told() | {"spec": spec | {part: anything}})


def _is_judged(anything: dict[str, Any]) -> None:
    text = json.dumps(anything)
    one = served.parse_served(text)
    assert one is None or isinstance(one.model, Model)
    if one:
        facts = with_host(standing(cluster()), "gpu1", served=(one,))
        assert assess(cluster(), facts).models
        assert plan_serve(cluster(), facts, QWEN).title
    ServerAnswers()(0, text, "")


@pytest.mark.parametrize(
    ("version", "said", "stage"),
    [
        (
            "0.6.6",
            "INFO 01-01 10:00:00 llm_engine.py:234] Initializing an LLM engine (v0.6.6)",
            "starts its engine",
        ),
        ("0.8.5", "Initializing a V0 LLM engine (v0.8.5) with config: model='m'", "starts its engine"),
        (
            "0.11.1 to 0.17.1",
            "INFO [api_server.py:1] Starting vLLM API server 0 on http://x",
            "starts its HTTP server",
        ),
        (
            "from 0.18.0",
            "INFO [entry.py:140] Starting vLLM server on http://0.0.0.0:8000",
            "starts its HTTP server",
        ),
        ("0.6.6 to 0.17.1", "INFO [monitor.py:34] torch.compile takes 12.5 s in total", "compiles the model"),
        ("from 0.18.0", "INFO [monitor.py:53] torch.compile took 12.5 s in total", "compiles the model"),
        ("0.33.0", "INFO [monitor.py:53] language_model: torch.compile took 12.5 s", "compiles the model"),
        (
            "0.6.6 to 0.33.0",
            "INFO [core.py:402] init engine (profile, create kv cache, warmup model) took 2.84 s",
            "starts its HTTP server",
        ),
    ],
)
def test_the_stage_is_known_in_the_words_of_each_version(version: str, said: str, stage: str) -> None:
    assert served.loading_stage(["Starting to load model m", said]) == stage, version


LOADING = "(Worker_TP0 pid=1) INFO Starting to load model m"
LOADED = "(Worker_TP0 pid=1) INFO Loading weights took 5 s"


@pytest.mark.parametrize(
    ("ranks", "last"),
    [
        ({}, None),
        ({"gpu1": [LOADED]}, None),
        ({"gpu1": [LOADED], "gpu2": [LOADING]}, Behind(("gpu2",), "loads the model")),
        ({"gpu1": [LOADING], "gpu2": [LOADED]}, Behind(("gpu1",), "loads the model")),
        (
            {"gpu1": [LOADED], "gpu2": [LOADING], "gpu3": [LOADING, "what?"]},
            Behind(("gpu2", "gpu3"), "loads the model"),
        ),
        ({"gpu1": [LOADING], "gpu2": [LOADING]}, None),
        ({"gpu1": ["Starting vLLM server on x"], "gpu2": [LOADED]}, None),  # the first one alone says so
        ({"gpu1": [LOADED], "gpu2": ["what?"]}, None),
    ],
)
def test_the_rank_that_is_behind_is_known_by_its_own_lines(
    ranks: dict[str, list[str]], last: Behind | None
) -> None:
    assert served.behind(ranks) == last


def test_lines_of_rays_workers_are_told_apart_unless_ray_has_left_some_out() -> None:
    there, here = f"(RayWorkerProc pid=7, ip=10.0.0.2) {LOADING}", f"(RayWorkerProc pid=8) {LOADED}"
    assert served.lines_of_ray([there, "(EngineCore pid=1) what?", here]) == {"10.0.0.2": [there], "": [here]}
    assert served.lines_of_ray([there, f"{here} [repeated 3x across cluster]"]) == {}


@pytest.mark.parametrize("log", sorted(LOGS.glob("good-*.log")), ids=lambda log: log.stem)
def test_in_real_logs_that_are_whole_nobody_is_behind(log: Path) -> None:
    assert served.behind(served.lines_of_ray(log.read_text().splitlines())) is None
