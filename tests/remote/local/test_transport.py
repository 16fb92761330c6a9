"""What is peculiar to commands on this machine: whose environment, whose Ctrl-C, and what is left of them."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from orchestrator.plan.command import Command
from orchestrator.remote.local.transport import LocalTransport
from orchestrator.remote.transport import FailureKind, Output
from tests.remote.sshd import failed, run, sh

HERE = LocalTransport()


def test_a_command_has_a_logins_environment_and_what_leads_to_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    monkeypatch.setenv("HF_TOKEN", "s3cret")
    monkeypatch.setenv("HOME", "/somewhere/else")
    shown = run(HERE, sh("env"))
    assert isinstance(shown, Output)
    given = dict(line.split("=", 1) for line in shown.stdout.splitlines())
    assert (given["PATH"], given["DOCKER_HOST"]) == (os.environ["PATH"], "unix:///run/user/1000/docker.sock")
    assert given["HOME"] != "/somewhere/else"
    assert "HF_TOKEN" not in given


def test_a_command_is_in_a_session_of_its_own_where_no_ctrl_c_reaches_it() -> None:
    shown = run(HERE, sh("ps -o sid= -p $$; echo $$"))
    assert isinstance(shown, Output)
    session, process = shown.stdout.split()
    assert session == process


def test_a_command_that_is_left_goes_on_without_input_and_is_no_zombie_in_the_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "over")
    cancel = Event()
    stays = sh(f"echo $$; cat; echo $$ > {tmp_path / 'over'}")
    heard: list[str] = []

    def tell(line: str) -> None:
        heard.append(line)
        cancel.set()

    failed(HERE.stream(stays, tell, timeout=30, cancel=cancel), FailureKind.CANCELLED)
    assert (tmp_path / "over").read_text().split() == heard
    while Path("/proc", heard[0]).exists():
        pass


def test_nothing_is_started_once_a_run_is_cancelled(tmp_path: Path) -> None:
    cancel = Event()
    cancel.set()
    failed(HERE.run(sh(f"touch {tmp_path / 'there'}"), timeout=30, cancel=cancel), FailureKind.CANCELLED)
    assert not (tmp_path / "there").exists()


def test_a_command_that_the_system_refuses_is_a_failure() -> None:
    failure = failed(run(HERE, Command(("echo", "x" * (1 << 20)))), FailureKind.UNREACHABLE)
    assert failure.message == "this machine does not start the command: Argument list too long"


def test_many_commands_run_at_once() -> None:
    with ThreadPoolExecutor(30) as pool:
        ended = list(pool.map(lambda n: run(HERE, sh(f"echo {n}; exit {n}")), range(30)))
    assert ended == [Output(n, f"{n}\n") for n in range(30)]
