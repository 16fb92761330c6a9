"""What is sent to a host for its logs: word for word, and what the scripts do there."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.model.cluster import Cluster, Docker, Node, Role
from orchestrator.plan import docker
from orchestrator.plan.command import Command
from orchestrator.plan.docker.logs import FOLLOW_LOGS
from orchestrator.plan.docker.shell_texts import PYTHON

HEAD = Node(
    "gpu1", "gpu1.example.com", Role.HEAD, "10.0.0.1", docker=Docker(command=("sudo", "-n", "docker"))
)
DEMO = Cluster("demo", "vllm/vllm-openai:v0.17.1", HEAD)


def words(command: Command) -> tuple[str, ...]:
    """The arguments, without the text of the script."""
    return command.argv[3:]


def test_the_container_is_looked_for_by_label_and_name() -> None:
    assert words(docker.find(DEMO, HEAD)) == ("find", "sudo -n docker", "demo", "raycluster-demo-gpu1")


def test_a_log_is_asked_for_with_its_times() -> None:
    assert words(docker.logs(HEAD, "c1", "5", "10m")) == (
        *("logs", "sudo -n docker", "--tail", "5", "--since", "10m", "c1"),
    )
    assert words(docker.follow_logs(HEAD, "c1", "all", "")) == (
        *("follow-logs", "sudo -n docker", "45", "--tail", "all", "c1"),
    )


def test_rays_files_are_read_by_the_containers_python() -> None:
    before = ("sudo", "-n", "docker", "exec", "--interactive", "c1", "/bin/sh", "-c", PYTHON, "python3", "-c")
    once, on = (
        docker.file_logs(HEAD, "c1", docker.RAY_LOGS, "100"),
        docker.follow_file_logs(HEAD, "c1", docker.SERVER_LOGS, "100", ("raylet.out 7:20",)),
    )
    assert (once.argv[:11], once.argv[12:]) == (before, (docker.RAY_LOGS, "100"))
    assert (on.argv[:11], on.argv[12:]) == (before, (docker.SERVER_LOGS, "100", "45", "raylet.out 7:20"))


@pytest.fixture
def fake_docker(tmp_path: Path) -> Path:
    """A Docker whose `logs` tells a line and its own number, and lasts for a minute unless it is told `ends`."""
    program = tmp_path / "docker"
    program.write_text('#!/bin/bash\necho "$@"\necho $$\ncase "$*" in *ends) exit 3 ;; esac\nexec sleep 60\n')
    program.chmod(0o755)
    return program


@contextmanager
def followed(fake_docker: Path, container: str, silence: str = "45") -> Iterator[subprocess.Popen[str]]:
    argv = ["bash", "-c", FOLLOW_LOGS, "follow-logs", str(fake_docker), silence, container]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        yield running


def started(running: subprocess.Popen[str]) -> int:
    """The number of the process that reads the log."""
    assert running.stdout
    assert running.stdout.readline() == "logs --follow --timestamps c1\n"
    return int(running.stdout.readline())


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_following_ends_with_the_log_and_its_exit_code(fake_docker: Path) -> None:
    with followed(fake_docker, "ends") as running:
        assert running.wait(10) == 3
        assert running.stdin
        assert running.stdout
        assert running.stdout.read().startswith(
            "logs --follow --timestamps ends\n"
        )  # nobody else holds it open


def test_following_ends_when_we_leave_and_takes_docker_along(fake_docker: Path) -> None:
    with followed(fake_docker, "c1") as running:
        pid = started(running)
        assert running.stdin
        running.stdin.close()
        running.wait(10)
        assert has_ended(pid)


def test_following_ends_when_a_laptop_is_silent_for_too_long(fake_docker: Path) -> None:
    with followed(fake_docker, "c1", silence="1") as running:
        pid, began = started(running), time.monotonic()
        running.wait(10)
        assert time.monotonic() > began + 0.5
        assert has_ended(pid)


def test_an_empty_line_now_and_then_keeps_it_going(fake_docker: Path) -> None:
    with followed(fake_docker, "c1", silence="1") as running:
        pid = started(running)
        assert running.stdin
        for _ in range(5):
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(0.4)
            running.stdin.write("\n")
            running.stdin.flush()
        assert not has_ended(pid)
        running.stdin.close()
        running.wait(10)
