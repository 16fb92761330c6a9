"""`raycluster exec` and `shell`, as a person meets them."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from orchestrator.cli.output.json import schema
from orchestrator.plan.command import Command
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.remote.fakes import FakeFleet

from .conftest import INVENTORY, Raycluster

SILENT = Failure(FailureKind.UNREACHABLE, "10.0.0.2:22 does not answer", fix="is the host up?")
Answering = Callable[[str, Output | Failure], None]


@pytest.fixture
def answers(hosts: FakeFleet, folder: Path) -> Answering:
    """Lets a host whose container runs answer a command. There is a third one."""
    (folder / "inventory.yaml").write_text(INVENTORY + "  - {host: gpu3, ip: 10.0.0.3}\n")
    hosts.on("*", "docker ps --all", Output(0, "\x1erunning\n"))

    def answer(host: str, said: Output | Failure) -> None:
        hosts.on(host, lambda command: "exec" in command.argv, said)

    return answer


def test_the_same_of_several_hosts_is_shown_once_in_the_inventorys_order(
    answers: Answering, raycluster: Raycluster
) -> None:
    answers("*", Output(0, "A100\n"))
    answers("gpu2", Output(0, "H100"))
    ran = raycluster("exec", "--", "nvidia-smi", "-L")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout == "==> gpu1, gpu3 <==\nA100\n==> gpu2 <==\nH100\n"


def test_the_same_words_with_another_exit_code_are_not_the_same(
    answers: Answering, raycluster: Raycluster
) -> None:
    answers("*", Output(0, "done\n"))
    answers("gpu3", Output(4, "done\n", "but\n"))
    ran = raycluster("exec", "make")
    assert ran.exit_code == 4
    assert ran.stdout == "==> gpu1, gpu2 <==\ndone\n==> gpu3: exit code 4 <==\ndone\n"
    assert ran.stderr == "==> gpu3: standard error <==\nbut\n✗ gpu3  exit code 4\n"


def test_a_command_that_says_nothing_names_the_hosts_on_which_it_ran(
    answers: Answering, raycluster: Raycluster
) -> None:
    answers("*", Output(0))
    answers("gpu2", SILENT)
    ran = raycluster("exec", "--", "true")
    assert (ran.exit_code, ran.stdout) == (255, "==> gpu1, gpu3 <==\n")
    assert ran.stderr == "✗ gpu2  10.0.0.2:22 does not answer\n      → is the host up?\n"


def test_bytes_that_are_no_text_pass_where_nobody_looks(answers: Answering, raycluster: Raycluster) -> None:
    answers("*", Output(0, "a\tb\x1b[2J \n"))
    assert raycluster("exec", "--", "x").stdout_bytes == b"==> gpu1, gpu2, gpu3 <==\na\tb\x1b[2J \n"


def test_one_host_alone_is_heard_as_if_one_were_there(answers: Answering, raycluster: Raycluster) -> None:
    answers("gpu2", Output(5, "a\x1b[31mb", "c"))
    ran = raycluster("exec", "-l", "gpu2", "--", "x")
    assert (ran.exit_code, ran.stdout_bytes, ran.stderr_bytes) == (5, b"a\x1b[31mb", b"c")


def test_json_has_a_result_for_each_host(
    answers: Answering, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    answers("*", Output(0, "out\n", "err\n"))
    answers("gpu2", SILENT)
    hosts.on("gpu3", "docker ps --all", Output(0, "\x1eexited\n"))
    ran = raycluster("exec", "-o", "json", "--", "x")
    assert ran.exit_code == 255
    none = {"stdout": "", "stderr": ""}
    assert Draft202012Validator(schema("exec")).is_valid(json.loads(ran.stdout))
    assert json.loads(ran.stdout) == {
        "version": 2,
        "cluster": "demo",
        "results": [
            {"host": "gpu1", "exit_code": 0, "stdout": "out\n", "stderr": "err\n", "error": None},
            {"host": "gpu2", "exit_code": 255, **none, "error": SILENT.message},
            {"host": "gpu3", "exit_code": 125, **none, "error": "its container is not running: exited"},
        ],
    }


@pytest.mark.parametrize(
    ("words", "host"), [(("gpu2", "bash"), "gpu2"), (("", "bash"), "bash"), ((), "HOST")]
)
def test_dockers_way_to_a_terminal_is_answered_with_ours(
    words: tuple[str, ...], host: str, raycluster: Raycluster
) -> None:
    ran = raycluster("exec", "-it", *words)
    assert (ran.exit_code, ran.stderr) == (2, f"no such option: -it → raycluster shell {host}\n")


@pytest.mark.parametrize("words", [("gpu2", "nvidia-smi", "-L"), ("gpu2", "--", "nvidia-smi", "-L")])
def test_a_command_that_needs_no_terminal_is_answered_with_exec(
    words: tuple[str, ...], raycluster: Raycluster
) -> None:
    ran = raycluster("exec", "-it", *words)
    told = "no such option: -it → raycluster exec -l gpu2 -- nvidia-smi -L\n"
    assert (ran.exit_code, ran.stderr) == (2, told)


@pytest.mark.parametrize("code", [126, 127])
def test_a_line_for_a_shell_in_one_word_gets_a_hint(
    code: int, answers: Answering, raycluster: Raycluster
) -> None:
    answers("gpu1", Output(code, stderr="no such program\n"))
    ran = raycluster("exec", "-l", "head", "--", "nvidia-smi | head")
    assert ran.exit_code == code
    assert (
        "→ this ran without a shell. With one: raycluster exec -- bash -c 'nvidia-smi | head'" in ran.stderr
    )
    assert "bash -c" not in raycluster("exec", "-l", "head", "--", "nvidia-smi").stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "COMMAND"),
        (("inventory.yaml", "--", "ls", "-l"), "goes with -i: raycluster exec -i inventory.yaml -- ls -l"),
        (("lab.yml", "--on-host", "--", "ls"), "raycluster exec -i lab.yml --on-host -- ls"),
        (("gpu1", "--", "ls"), '"gpu1" is a host, no command: raycluster exec -l gpu1 -- ls'),
        (("-l", "gpu2", "gpu1", "--", "ls"), "raycluster exec -l gpu2,gpu1 -- ls"),
        (("gpu9", "--", "ls"), "before the command stand only options, such as -i INVENTORY"),
        (("gpu1", "df", "-h"), "is a host, no command: raycluster exec -l gpu1 -- df -h"),
        (("-l", "gpu9", "--", "ls"), 'no host matches "gpu9"'),
        (("-o", "sh", "--", "ls"), "--output: should be one of text, json, not"),
    ],
)
def test_what_cannot_be_meant_contacts_nobody(
    words: tuple[str, ...], said: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster("exec", *words)
    assert ran.exit_code == 2
    assert said in ran.stderr
    assert hosts.sent == []


def test_options_after_the_command_are_the_commands(
    answers: Answering, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    answers("*", Output(0))
    raycluster("exec", "ls", "-l", "--help")
    assert hosts.lines("gpu2")[-1].endswith(" raycluster-demo-gpu2 ls -l --help")


def test_it_needs_no_lock_and_on_the_host_no_docker(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.on("*", lambda command: command.argv[-1] == "uptime", Output(0, "up\n"))
    assert raycluster("exec", "--on-host", "uptime").stdout == "==> gpu1, gpu2 <==\nup\n"
    assert len(hosts.sent) == 2


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """What the program gives its place to, on a terminal."""
    became: list[Command] = []
    monkeypatch.setattr(os, "isatty", lambda _: True)
    monkeypatch.setattr("orchestrator.remote.execute.adhoc.become", became.append)
    return became


@pytest.mark.parametrize(
    ("words", "host"), [((), "gpu1"), (("gpu2",), "gpu2"), (("*2",), "gpu2"), (("workers",), "gpu2")]
)
def test_a_shell_is_on_the_head_or_on_the_one_host_that_is_meant(
    words: tuple[str, ...], host: str, became: list[Command], raycluster: Raycluster
) -> None:
    raycluster("shell", *words)
    (command,) = became
    assert command.argv[-2] == host
    assert f" raycluster-demo-{host} " in command.argv[-1]


def test_a_shell_where_nothing_runs_names_the_inventory_it_was_called_with(
    became: list[Command], raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").rename(folder / "my own.yaml")
    raycluster("shell", "-i", "my own.yaml")
    (command,) = became
    assert "raycluster up -i" in command.argv[-1]
    assert "my own.yaml" in command.argv[-1]


@pytest.mark.parametrize(
    ("host", "said"),
    [("gpu*", '"gpu*" fits 2 hosts, and one is needed: gpu1, gpu2'), ("gpu3", 'no host matches "gpu3"')],
)
def test_a_shell_on_several_hosts_or_on_none_is_no_shell(
    host: str, said: str, became: list[Command], raycluster: Raycluster
) -> None:
    shell = raycluster("shell", host)
    assert (shell.exit_code, became) == (2, [])
    assert said in shell.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [("", "-l head"), ("gpu2", "-l gpu2"), ("-l gpu2 -i inventory.yaml", "-i inventory.yaml -l gpu2")],
)
def test_without_a_terminal_there_is_no_shell(
    words: str, meant: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    shell = raycluster("shell", *words.split())
    assert (shell.exit_code, shell.stdout, hosts.sent) == (2, "", [])
    line = f"raycluster exec {meant} -- COMMAND"
    assert shell.stderr == f"a shell needs a terminal; to run a command without one: {line}\n"


def test_without_an_ssh_client_there_is_no_shell(
    monkeypatch: pytest.MonkeyPatch, raycluster: Raycluster
) -> None:
    monkeypatch.setattr(os, "isatty", lambda _: True)
    monkeypatch.setenv("PATH", "/nowhere")
    shell = raycluster("shell")
    assert shell.exit_code == 1
    assert "✗ gpu1  ssh: No such file or directory\n      → install the OpenSSH client" in shell.stderr
