"""A person's own command: the lines that run it, and those that end it."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model.cluster import Cluster, Docker, HostKeys, Node, Role, Ssh
from orchestrator.plan import docker, scripts
from orchestrator.plan.actions.adhoc import plan_exec, plan_shell, refusal
from orchestrator.plan.problem import Problem
from orchestrator.plan.ssh_command import ssh
from orchestrator.plan.typed import ours, there
from tests.plan.machines import Machine

NODE = Node("gpu2", "gpu2.example.com", Role.WORKER, "10.0.0.2")
DEMO = Cluster("demo", "vllm/vllm-openai:v0.17.1", replace(NODE, name="gpu1", role=Role.HEAD), (NODE,))
MARK = "RAYCLUSTER_EXEC=4711"
SSH = "ssh -t"
UP = "raycluster up -i 'my own.yaml'"


def test_in_the_container_its_state_is_asked_for_first() -> None:
    (job,) = plan_exec(DEMO, (NODE,), ("nvidia-smi", "-L"), "4711", on_host=False, stdin=True)
    assert job.look
    assert job.look.line() == (
        "docker ps --all --filter label=raycluster.cluster=demo --filter 'name=^raycluster-demo-gpu2$'"
        " --format '\x1e{{.State}}'"
    )
    assert job.command.line() == (
        "docker exec --interactive --env RAYCLUSTER_EXEC=4711 raycluster-demo-gpu2 nvidia-smi -L"
    )


def test_without_standard_input_docker_is_not_told_to_read_it() -> None:
    node = replace(NODE, docker=Docker(command=("sudo", "-n", "docker")))
    (job,) = plan_exec(DEMO, (node,), ("ls",), "4711", on_host=False, stdin=False)
    assert job.command.line() == f"sudo -n docker exec --env {MARK} raycluster-demo-gpu2 ls"


def test_what_ends_a_command_has_its_mark_on_standard_input_and_is_not_found_by_it() -> None:
    for on_host in (True, False):
        (job,) = plan_exec(DEMO, (NODE,), ("ls",), "4711", on_host=on_host, stdin=False)
        assert MARK in job.command.line()
        assert "4711" not in job.end.line()
        assert job.end.input() == f"{MARK}\n".encode()


@given(words=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=5))
@settings(max_examples=30, deadline=None)
def test_on_the_host_every_word_arrives_as_it_is(words: list[str]) -> None:
    shown = ("sh", "-c", 'printf "%s\\0" "$RAYCLUSTER_EXEC" "$@"', "show", *words)
    (job,) = plan_exec(DEMO, (NODE,), shown, "4711", on_host=True, stdin=False)
    ran = subprocess.run(["sh", "-c", job.command.line()], capture_output=True, check=True)
    assert ran.stdout.decode().split("\0") == ["4711", *words, ""]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((0, "\x1erunning\n", ""), None),
        ((0, "\x1eUp 4 seconds ago\n", ""), None),  # Podman 4.3
        (
            (0, "\x1eExited (1) 4 seconds ago\n", ""),
            Problem("its container is not running: Exited (1) 4 seconds ago", ours("up")),
        ),
        ((0, "\x1epaused\n", ""), Problem("its container is not running: paused")),
        ((0, "Welcome to gpu2!\n\x1erunning\n", ""), None),
        ((0, "", ""), Problem("no container of this cluster is there", ours("up"))),
        (
            (0, "Welcome to gpu2!\n", ""),
            Problem("no container of this cluster is there", ours("up")),
        ),
        (
            (0, "\x1eexited\n", ""),
            Problem("its container is not running: exited", ours("up")),
        ),
        (
            (1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n"),
            Problem(
                "Docker there does not tell of its containers",
                there("sudo systemctl start docker"),
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
            ),
        ),
    ],
)
def test_only_a_container_that_runs_is_fit(answer: tuple[int, str, str], why: Problem | None) -> None:
    assert refusal(*answer) == why


@contextmanager
def running(*argv: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that says when it has begun."""
    own = {"env": {**os.environ, **environment}, "start_new_session": True}
    started = subprocess.Popen(argv, stdout=subprocess.PIPE, **own)  # type: ignore[call-overload]
    assert started.stdout
    started.stdout.readline()
    yield started
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.communicate()


def ended(mark: str, grace: str = "100") -> bool:
    script = ["sh", "-c", scripts.END_MARKED, "end-exec", grace]
    return subprocess.run(script, input=f"{mark}\n".encode(), check=False).returncode == 0


@pytest.fixture
def mark(request: pytest.FixtureRequest) -> str:
    return f"RAYCLUSTER_EXEC={request.node.name}-{os.getpid()}"


def test_a_command_is_ended_with_all_that_it_began_and_nothing_else(mark: str) -> None:
    family = ("sh", "-c", "sleep 1000 & echo begun; sleep 1000")
    run = mark.partition("=")[2]
    (job,) = plan_exec(DEMO, (NODE,), family, run, on_host=True, stdin=False)
    with running(*job.command.argv) as ours, running(*family, RAYCLUSTER_EXEC="another") as other:
        assert ended(mark)
        assert ours.wait(1) == 128 + signal.SIGTERM
        assert mark.encode() not in subprocess.run(["ps", "axe"], capture_output=True, check=True).stdout
        assert other.poll() is None


def test_what_is_deaf_to_a_request_is_killed(mark: str) -> None:
    deaf = ("sh", "-c", "trap '' TERM; echo begun; while :; do sleep 0.1; done")
    with running(*deaf, RAYCLUSTER_EXEC=mark.partition("=")[2]) as process:
        assert ended(mark, grace="5")
        assert process.wait(1) == -signal.SIGKILL


def test_while_something_is_left_that_cannot_be_ended_it_is_not_over(mark: str) -> None:
    """As `sudo` would be: another user's, its environment hidden. What has begun it waits for it."""
    hidden = ("sh", "-c", "(unset RAYCLUSTER_EXEC; echo begun; exec sleep 1000); exit", "exec", mark)
    with running(*hidden) as process:
        assert not ended(mark, grace="0")
        assert process.poll() is None


def test_a_shell_on_the_host_is_sshs_own() -> None:
    assert plan_shell(DEMO, NODE, UP, on_host=True).line() == f"{SSH} -- gpu2.example.com"


def test_a_shell_in_the_container_is_a_script_on_the_host() -> None:
    *before, script = plan_shell(DEMO, NODE, UP, on_host=False).argv
    assert before == [*SSH.split(), "--", "gpu2.example.com"]
    assert script == docker.shell(DEMO, NODE, UP).login_shell_line()


def test_where_no_container_runs_the_shell_is_refused_with_the_line_that_starts_one(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.program("docker", "#!/bin/sh\n")
    ran = machine.run(docker.shell(DEMO, NODE, UP))
    assert (ran.returncode, ran.stdout) == (125, "")
    assert (
        ran.stderr == "no container of cluster demo runs here; to start one: raycluster up -i 'my own.yaml'\n"
    )


def test_on_this_machine_a_shell_needs_no_ssh() -> None:
    local = replace(NODE, host="local")
    assert plan_shell(DEMO, local, UP, on_host=True).argv[0] == "sh"
    inside = plan_shell(DEMO, local, UP, on_host=False)
    assert inside == docker.shell(DEMO, local, UP)


def test_ssh_is_told_what_the_inventory_says() -> None:
    told = Ssh("ana", 2222, "~/.ssh/lab key", host_keys=HostKeys.ACCEPT_NEW, connect_timeout=0.4)
    assert ssh(replace(NODE, ssh=told)).line() == (
        "ssh -l ana -p 2222 -i '~/.ssh/lab key' -o StrictHostKeyChecking=accept-new -o ConnectTimeout=1"
        " -- gpu2.example.com"
    )


def test_jump_hosts_are_given_the_key_and_the_word_on_host_keys() -> None:
    told = Ssh(user="ana", key="k", jump="bob@a:2200,b", host_keys=HostKeys.STRICT)
    *_, option, _, _ = ssh(replace(NODE, ssh=told)).argv
    first = "ssh -i k -o StrictHostKeyChecking=yes -W '[%%h]:%%p' -- ssh://bob@a:2200"
    quoted = first.replace("'", "'\"'\"'")
    assert option == (
        "ProxyCommand=ssh -i k -o StrictHostKeyChecking=yes"
        f" -o 'ProxyCommand={quoted}' -W '[%h]:%p' -- ssh://b"
    )


def test_no_jump_host_is_none_of_the_ssh_configs_either() -> None:
    assert "-o ProxyJump=none" in ssh(replace(NODE, ssh=Ssh(jump="none"))).line()
