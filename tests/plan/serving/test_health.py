"""What `status` says of the model, and what the cluster's verdict makes of it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from orchestrator.model.cluster import Accelerator
from orchestrator.plan.serving.health import ModelHealth
from orchestrator.plan.status import health as of_cluster
from orchestrator.plan.status.health import Verdict
from orchestrator.plan.typed import ours
from tests.plan.worlds import NOW, cluster, node, standing, with_container, with_host

from .worlds import NAME, QWEN, URL, ended, seen, serving, starting, told, unresponsive

LOGS = ours("serve logs", NAME)
AGAIN = ours("serve", "Qwen/Qwen3-32B", "--", "--max-model-len", "4096")
NVIDIA = replace(cluster(), head=node(1, accelerator=Accelerator.NVIDIA))
OOM = "torch.OutOfMemoryError: CUDA out of memory."


def clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%H:%M}"


def health(**changes: Any) -> ModelHealth:
    (judged,) = of_cluster.assess(NVIDIA, serving(NVIDIA, **changes)).models
    return judged


def test_nothing_is_served() -> None:
    assert of_cluster.assess(cluster(), standing(cluster())).models == ()


def test_it_answers() -> None:
    hosts = ("gpu1", "gpu2", "gpu3")
    well = ModelHealth(NAME, QWEN.name, URL, answers=True, state="answering", since=60, lives=1)
    assert health() == replace(well, hosts=hosts, gpus=24, gpus_by_host=dict.fromkeys(hosts, 8))


@pytest.mark.parametrize(
    ("changes", "trouble", "fix"),
    [
        ({"state": {"is": "waiting"}, "trouble": "refused"}, "it waits for Ray", ""),
        (starting("Starting to load model x"), "it loads the model", ""),
        (
            starting(why="vLLM has started"),
            "vLLM has started",
            "give vLLM its address: "
            + ours("serve", QWEN.name, "--", *QWEN.args, "--host", "ADDRESS", "--port", "PORT"),
        ),
        (starting("Starting to load model x", moved=NOW - 119), "it loads the model", ""),
        (starting(moved=NOW - 240), "it starts; nothing has moved for 4 min", ""),
        (
            starting(moved=NOW - 1000),
            "it starts; nothing has moved for 17 min: does `nvidia-smi` on its hosts show it at work?",
            LOGS,
        ),
        (
            unresponsive(130),
            f"it has answered nothing since {clock(NOW - 130)} (2 min) and will be started again",
            LOGS,
        ),
        (
            {"state": unresponsive(130)["state"] | {"engine": "1"}, "trouble": "timed out"},
            f"its engine 1 has answered nothing since {clock(NOW - 130)} (2 min) and will be started again",
            LOGS,
        ),
        ({"trouble": "timed out"}, "timed out", LOGS),
        ({"trouble": "HTTP status 503"}, "its engine has died (HTTP status 503)", LOGS),
        (ended("what?"), "vLLM ended with exit code 1", LOGS),
        (ended() | {"supervised": True}, "vLLM ended with exit code 1 and will be started again", LOGS),
        (
            ended(exit_code=-9) | {"supervised": True},
            "vLLM ended with exit code 137 and will be started again",
            LOGS,
        ),
        (
            starting() | {"supervised": False},
            "what kept vLLM running in the container is gone",
            AGAIN,
        ),
        (
            {"supervised": False, "trouble": "nothing is served"},
            "what kept vLLM running in the container is gone",
            AGAIN,
        ),
    ],
)
def test_why_it_does_not_answer_and_what_to_do(changes: dict[str, Any], trouble: str, fix: str) -> None:
    judged = health(**changes)
    assert (judged.answers, judged.trouble, judged.fix) == (False, trouble, fix)


def test_a_cause_that_is_known_is_told_with_its_remedy() -> None:
    judged = health(**ended(OOM))
    assert judged.trouble == "vLLM ended with exit code 1: a GPU has not enough memory for the model"
    assert judged.fix.startswith("spread it over more GPUs")


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.HEALTHY),
        ({"trouble": "timed out"}, Verdict.DEGRADED),
        (unresponsive(), Verdict.DEGRADED),
        (starting(), Verdict.DEGRADED),
        (ended(), Verdict.DEGRADED),
    ],
)
def test_a_cluster_is_healthy_only_while_its_model_answers(changes: dict[str, Any], verdict: Verdict) -> None:
    judged = of_cluster.assess(cluster(), serving(cluster(), **changes))
    assert judged.verdict is verdict
    assert {host.verdict for host in judged.hosts} == {Verdict.HEALTHY}


def test_a_cluster_that_serves_nothing_needs_no_model_to_be_healthy() -> None:
    assert of_cluster.assess(cluster(), standing(cluster())).verdict is Verdict.HEALTHY


def test_a_model_that_answers_heals_no_cluster() -> None:
    ended_worker = with_container(
        serving(cluster()), "gpu2", running=False, status="exited", finished=NOW - 1
    )
    assert of_cluster.assess(cluster(), ended_worker).verdict is Verdict.DEGRADED


GROUP = {"hosts": ["gpu1", "gpu2"], "run": "the run"}
LEFT = "RuntimeError: gloo/transport/tcp/pair.cc:534: Connection closed by peer [10.0.0.2]:1234"


@pytest.mark.parametrize(
    ("first", "second", "cause"),
    [
        (LEFT, OOM, "a GPU has not enough memory for the model, on gpu2"),
        ("", OOM, "a GPU has not enough memory for the model, on gpu2"),
        (OOM, LEFT, "a GPU has not enough memory for the model"),
        (LEFT, LEFT, "a worker on 10.0.0.2 has gone"),
    ],
)
def test_the_cause_is_that_of_the_rank_whose_log_has_it(first: str, second: str, cause: str) -> None:
    ranks = [
        seen(spec=told()["spec"] | {"group": GROUP | {"rank": rank}}, **ended(line) | {"supervised": True})
        for rank, line in enumerate((first, second))
    ]
    facts = with_host(standing(NVIDIA), "gpu1", served=(ranks[0],))
    (judged,) = of_cluster.assess(NVIDIA, with_host(facts, "gpu2", served=(ranks[1],))).models
    assert judged.trouble == f"vLLM ended with exit code 1 and will be started again: {cause}"


def test_while_it_loads_the_rank_that_is_behind_is_named() -> None:
    loads = ("Loading weights took 3 s", "Starting to load model x")
    ranks = [
        seen(spec=told()["spec"] | {"group": GROUP | {"rank": rank}}, **starting(line))
        for rank, line in enumerate(loads)
    ]
    facts = with_host(standing(cluster()), "gpu1", served=(ranks[0],))
    (judged,) = of_cluster.assess(cluster(), with_host(facts, "gpu2", served=(ranks[1],))).models
    assert judged.trouble == "it has loaded the weights; gpu2 behind: loads the model"


def test_its_trouble_fits_the_heads_accelerator() -> None:
    ascend = replace(cluster(), head=replace(cluster().head, accelerator=Accelerator.ASCEND))
    memory = "RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60.97 GiB total capacity"
    (health,) = of_cluster.assess(ascend, serving(cluster(), **ended(memory))).models
    assert health.trouble == "vLLM ended with exit code 1: NPU 3 has not enough memory for the model"
