"""Why vLLM ended, from what it and its libraries have logged."""

import pytest

from orchestrator.plan.serving.causes import root_cause

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
    assert (cause.why, cause.said) == (why, line)
