"""Why vLLM ended, from what it and its libraries have logged."""

from pathlib import Path

import pytest

from orchestrator.plan.serving.causes import root_cause

LOGS = Path(__file__).parents[2] / "vllm/logs"
CONFIG = "INFO 11-24 10:00:00 [core.py:77] Initializing a V1 LLM engine with config: trust_remote_code=True, seed=0"
CUSTOM = (
    "The repository x/y contains custom code. Please pass the argument `trust_remote_code=True` to allow it"
)


def test_a_model_with_code_of_its_own_is_told_how_to_run_it() -> None:
    cause = root_cause([CUSTOM])
    assert cause
    assert "--trust-remote-code" in cause.fix


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("OSError: [Errno 98] Address already in use", "another program holds the server's port on the head"),
        (
            "vllm serve: error: unrecognized arguments: --trust-remote-codes",
            "vLLM does not take its arguments",
        ),
        ("ValueError: nobody knows this one", ""),
    ],
)
def test_a_server_that_was_told_to_trust_it_fails_of_something_else(line: str, why: str) -> None:
    cause = root_cause([CONFIG, line])
    assert cause
    assert (cause.text, cause.detail) == (why, line)


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ("bad-argument.log", "vLLM does not take its arguments"),
        ("cuda-out-of-memory.source", "a GPU has not enough memory for the model"),
        ("engine-core-killed-ray.log", "a process of vLLM was killed"),
        ("gated-model.source", "the model is gated, and its host gave no token that may read it"),
        ("gloo-interface-missing-mp-rank1.log", "the processes cannot connect to each other"),
        ("gloo-interface-missing-ray.log", "the processes cannot connect to each other"),
        ("gpu-memory-taken.source", "other programs hold memory of a GPU"),
        ("killed-worker-idle-ray.log", "one of its workers has gone"),
        ("killed-worker-load-mp-rank0.log", "one of its workers has gone"),
        ("kv-cache-none.source", "the model's weights leave no room for the KV cache"),
        ("kv-cache-too-small-mp-rank0.log", "the KV cache has no room for one request of 2000000 tokens"),
        ("kv-cache-too-small-ray.log", "the KV cache has no room for one request of 2000000 tokens"),
        ("master-port-in-use-mp-rank0.log", "another program holds port 29501, where the ranks meet"),
        ("model-hub-no-network.log", "Hugging Face cannot be reached, and the model is not in the cache"),
        ("model-missing-on-worker-mp-rank1.log", "there is no such model"),
        ("model-missing-on-worker-ray.log", "there is no such model, on 192.0.2.12"),
        ("model-path-missing.log", "there is no such model"),
        ("more-gpus-than-heads-allow.log", "the model's 2 attention heads cannot be split over 4 GPUs"),
        ("more-gpus-than-there-are-ray.log", "Ray has not the GPUs that are asked for"),
        ("nccl.source", "NCCL cannot connect the GPUs"),
        ("port-in-use.log", "another program holds the server's port on the head"),
    ],
)
def test_what_vllm_really_said_is_understood(log: str, why: str) -> None:
    cause = root_cause((LOGS / log).read_text().splitlines())
    assert cause
    assert cause.text == why


@pytest.mark.parametrize("log", ["good-ray.log", "good-mp-rank0.log", "good-mp-rank1.log"])
def test_a_good_start_has_no_cause_to_end(log: str) -> None:
    assert root_cause((LOGS / log).read_text().splitlines()) is None


def test_an_error_that_nobody_knows_is_quoted_from_where_it_first_stood() -> None:
    cause = root_cause((LOGS / "max-model-len-too-long.log").read_text().splitlines())
    assert cause
    assert (cause.text, cause.fix) == ("", "")
    assert cause.detail.startswith("Value error, User-specified max_model_len (100000) is greater than")
