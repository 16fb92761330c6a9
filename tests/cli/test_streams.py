"""The program with streams that lead nowhere, as cron jobs, pipes and odd wrappers start it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_architecture import ROOT


def ran(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a shell makes of the line; `raycluster` in it is this program."""
    program = f'raycluster() {{ "{sys.executable}" -m orchestrator "$@"; }}; set -o pipefail; {line}'
    words = ["bash", "-c", program]
    return subprocess.run(
        words, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("line", "exit_code", "said"),
    [
        ("raycluster config check - <&-", 2, "<stdin>"),
        ("raycluster init <&-", 2, "Nobody is there to answer"),
        ("raycluster config show >&-", 0, ""),
        ("raycluster config check nowhere 2>&-", 2, ""),
    ],
)
def test_a_closed_stream_is_an_empty_one(folder: Path, line: str, exit_code: int, said: str) -> None:
    told = ran(line, folder)
    assert told.returncode == exit_code
    assert said in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    "words", ["config show", "config schema", "up --dry-run --offline", "up --offline -o sh"]
)
def test_who_reads_no_further_is_not_told_about_it(folder: Path, words: str) -> None:
    told = ran(f"raycluster {words} | true", folder)
    assert told.stderr == ""


def test_a_full_disk_is_told_in_a_line(folder: Path) -> None:
    told = ran("raycluster config show >/dev/full", folder)
    assert (told.returncode, told.stderr) == (1, "raycluster: [Errno 28] No space left on device\n")
