"""The benchmark in the container, with a `vllm` that only stands in for it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator import payload
from tests.payload.serving.place import lives, until

VLLM = """\
#!{python}
import json, os, sys, time
folder, name = (sys.argv[sys.argv.index(each) + 1] for each in ("--result-dir", "--result-filename"))
print("INFO begins")
if os.environ["HOW"] == "hangs":
    with open(os.environ["PID"], "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)
if os.environ["HOW"] == "fails":
    sys.exit("ValueError: no such model")
with open(os.path.join(folder, name), "w") as file:
    words = {{"argv": sys.argv, "key": os.environ.get("OPENAI_API_KEY")}}
    json.dump({{"duration": 2.5, "completed": 10, "p50.0_ttft_ms": 3, "p99_itl_ms": 4, "errors": [], **words}}, file)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    file = tmp_path / "vllm"
    file.write_text(VLLM.format(python=sys.executable))
    file.chmod(0o755)
    return tmp_path


def begin(folder: Path, how: str) -> "subprocess.Popen[str]":
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "HOW": how, "PID": str(folder / "pid")}
    argv = [sys.executable, "-c", payload.program("vllm_bench"), json.dumps(["--num-prompts", "10"])]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(argv, env=env, text=True, **pipes)


def told(folder: Path, how: str) -> Any:
    running = begin(folder, how)
    assert running.stdout
    line = running.stdout.readline()
    running.communicate(timeout=20)
    assert running.returncode == 0
    return json.loads(line.rpartition("\x1e")[2])


def test_the_figures_are_told_and_nothing_else_of_what_was_measured(folder: Path) -> None:
    found = told(folder, "measures")
    assert found["figures"] == {"duration": 2.5, "completed": 10, "p50_ttft_ms": 3, "p99_itl_ms": 4}
    assert found["said"] == []


def test_where_it_fails_its_last_words_are_told(folder: Path) -> None:
    found = told(folder, "fails")
    assert (found["figures"], found["said"]) == ({}, ["INFO begins", "ValueError: no such model"])


def test_it_ends_with_who_has_asked_for_it(folder: Path) -> None:
    running = begin(folder, "hangs")
    until("it measures", lambda: (folder / "pid").exists() and (folder / "pid").read_text())
    child = int((folder / "pid").read_text())
    began = time.monotonic()
    running.communicate(timeout=20)
    assert time.monotonic() - began < 15
    assert not lives(child)
