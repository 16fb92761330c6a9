"""The program with streams that lead nowhere, as cron jobs, pipes and odd wrappers start it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.exit_codes import INTERRUPTED
from orchestrator.cli.output import readers
from tests.cli import scripted
from tests.cli.scripted import Hosts
from tests.remote.fakes import SOON
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


@pytest.fixture
def unread() -> Iterator[int]:
    """The end of a pipe whose reader has gone."""
    reads, writes = os.pipe()
    os.close(reads)
    yield writes
    os.close(writes)


def steps(folder: Path) -> list[str]:
    return (folder / "sent").read_text().splitlines()


def last_log(folder: Path) -> str:
    (log,) = (folder / "state").rglob("*.log")
    return log.read_text()


BROUGHT_UP = [
    f"{host}: {words}" for words in ("keep-token", "docker container inspect") for host in ("gpu1", "gpu2")
]
TAKEN_DOWN = [
    "gpu2: remove",
    "gpu2: forget-token",
    "gpu1: remove",
    "gpu1: forget-token",
    "gpu1: absent",
    "gpu2: absent",
]


@pytest.mark.parametrize("closed", [("stdout",), ("stderr",), ("stdout", "stderr")])
@pytest.mark.parametrize(
    ("words", "done"),
    [
        (["up"], BROUGHT_UP),
        (["up", "-o", "jsonl"], BROUGHT_UP),
        (["down"], TAKEN_DOWN),
        (["down", "-v"], TAKEN_DOWN),
    ],
)
def test_what_acts_goes_on_to_its_end_though_nobody_reads_of_it_any_more(
    folder: Path, unread: int, words: list[str], done: list[str], closed: tuple[str, ...]
) -> None:
    state = Hosts.STANDING if words[0] == "down" else Hosts.BARE
    streams = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE) | dict.fromkeys(closed, unread)
    program = scripted.start(folder, *words, hosts=state, **streams)
    said = b"".join(text for text in program.communicate() if text)
    assert program.returncode == 0
    assert set(done) <= set(steps(folder))
    assert last_log(folder).endswith("# exit code: 0\n")
    assert b"Broken" not in said
    assert b"Traceback" not in said


def test_a_failure_keeps_its_exit_code_and_its_cleaning_up(folder: Path, unread: int) -> None:
    program = scripted.start(folder, "up", hosts=Hosts.FAILING, stdout=unread, stderr=unread)
    assert program.wait() == 1
    assert steps(folder)[-3:] == ["gpu2: last-words", "gpu2: discard", "gpu2: forget-token"]
    log = last_log(folder)
    assert "gpu2  start its container: no such image (exit code 125)\n" in log
    assert log.endswith("# exit code: 1\n")


def test_ctrl_c_that_also_ends_who_reads_of_it_still_undoes_what_was_begun(folder: Path) -> None:
    """As in `raycluster up 2>&1 | tee log`."""
    os.mkfifo(folder / scripted.STREAMS)
    reads, writes = os.pipe()
    program = scripted.start(folder, "up", hosts=Hosts.SLOW, stdout=writes, stderr=writes)
    os.close(writes)
    with (folder / scripted.STREAMS).open("r+b", buffering=0) as begun:
        assert begun.read(1) == b"x"
    os.close(reads)
    program.send_signal(signal.SIGINT)
    assert program.wait(SOON) == INTERRUPTED
    removed = {"gpu1: discard", "gpu1: forget-token", "gpu2: discard", "gpu2: forget-token"}
    assert removed <= set(steps(folder)[-5:])
    assert last_log(folder).endswith("# exit code: 130\n")


def test_a_disk_that_is_full_stops_nothing_either_and_is_told_at_the_end(folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        program = scripted.start(folder, "up", stdout=full, stderr=subprocess.PIPE)
        _, said = program.communicate()
    assert program.returncode == 0
    assert set(BROUGHT_UP) <= set(steps(folder))
    assert said.decode().splitlines()[-1] == "raycluster: [Errno 28] No space left on device"


@pytest.mark.parametrize(
    "words", ["status", "status -o json", "config show", "up --dry-run", "down --offline -o sh"]
)
def test_what_looks_has_nothing_left_to_do(folder: Path, unread: int, words: str) -> None:
    program = scripted.start(
        folder, *words.split(), hosts=Hosts.STANDING, stdout=unread, stderr=subprocess.PIPE
    )
    _, said = program.communicate()
    assert (program.returncode, said) == (readers.UNREAD, b"")


def test_an_answer_is_given_though_nobody_reads_what_else_there_is_to_say(folder: Path, unread: int) -> None:
    program = scripted.start(
        folder, "status", "-v", hosts=Hosts.STANDING, stdout=subprocess.PIPE, stderr=unread
    )
    said, _ = program.communicate()
    assert program.returncode == 0
    assert said.startswith(b"cluster demo is healthy")


@pytest.mark.parametrize(
    ("words", "first"), [("logs -f", b"gpu"), ("status --watch", b""), ("status --watch -o jsonl", b"")]
)
@pytest.mark.parametrize("both", [False, True])
def test_what_would_go_on_for_ever_ends_at_once_here_and_on_the_hosts_though_it_has_nothing_to_say(
    folder: Path, words: str, first: bytes, both: bool
) -> None:
    os.mkfifo(folder / scripted.STREAMS)
    reads, writes = os.pipe()
    errors = writes if both else subprocess.DEVNULL
    program = scripted.start(folder, *words.split(), hosts=Hosts.STANDING, stdout=writes, stderr=errors)
    os.close(writes)
    with (folder / scripted.STREAMS).open("r+b", buffering=0) as begun:
        assert begun.read(1) + begun.read(1) == b"xx"
    assert os.read(reads, len(first)) == first
    os.close(reads)
    assert program.wait(SOON) == readers.UNREAD
    assert sum(scripted.ENDED in line for line in steps(folder)) >= 2
