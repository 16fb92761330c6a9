"""The program that runs as a rank, really run, where there is no torch; with it: tests/vllm."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from orchestrator.payload import program
from orchestrator.plan.facts import network_test
from orchestrator.plan.facts.network_test import Rank


@pytest.fixture
def rank() -> Iterator["subprocess.Popen[str]"]:
    words = ("0", "1", "127.0.0.1", "127.0.0.1", "19998")
    command = [sys.executable, "-S", "-c", program("network_test"), *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={}) as process:
        yield process
        process.kill()


def test_an_image_without_torch_is_told_and_the_rank_stays_for_the_others(
    rank: "subprocess.Popen[str]",
) -> None:
    assert rank.stdin
    assert rank.stdout
    line = rank.stdout.readline()
    told = network_test.parse_rank(("gpu1",), "gpu1", [line])
    assert told == Rank(no_torch="ModuleNotFoundError: No module named 'torch'")
    assert json.loads(line)["what"] == "no-torch"
    assert rank.poll() is None
    rank.stdin.close()
    assert rank.wait(10) == 0
