"""`raycluster logs` as a person types it: which hosts, which lines, what is refused, and the exit code."""

import pytest

from orchestrator.cli.exit_codes import INTERRUPTED
from orchestrator.cli.output import console
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import Raycluster, sent
from tests.remote.fakes import FakeFleet

FOUND = Output(0, "\x1ec1\nrunning 0 at noon\n1772366400.000000000\n")


def logged(*lines: tuple[int, str]) -> Output:
    return Output(0, "".join(f"2026-03-01T12:00:{second:02}.000000000Z {text}\n" for second, text in lines))


@pytest.fixture
def chatting(hosts: FakeFleet) -> FakeFleet:
    hosts.on("*", sent("find"), FOUND)
    hosts.on("gpu1", sent("logs"), logged((1, "a"), (3, "c")))
    hosts.on("gpu2", sent("logs"), logged((2, "b"), (4, "d")))
    return hosts


def test_all_hosts_are_merged_in_order_of_time(raycluster: Raycluster, chatting: FakeFleet) -> None:
    ran = raycluster("logs")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "gpu1 | a\ngpu2 | b\ngpu1 | c\ngpu2 | d\n", "")
    assert {each.command.argv[5:-1] for each in chatting.sent if "logs" in each.command.argv} == {
        ("--tail", "all")
    }


@pytest.mark.parametrize(
    "words", [("gpu2",), ("workers",), ("*2",), ("!head",), ("-l", "gpu2"), ("gpu*", "-l", "!gpu1")]
)
def test_only_some_hosts(raycluster: Raycluster, chatting: FakeFleet, words: tuple[str, ...]) -> None:
    assert raycluster("logs", *words).stdout == "gpu2 | b\ngpu2 | d\n"
    assert chatting.lines("gpu1") == []


def test_what_docker_is_asked_for(raycluster: Raycluster, chatting: FakeFleet) -> None:
    raycluster("logs", "gpu2", "-n", "5", "--since", "10m")
    assert chatting.sent[-1].command.argv[5:] == ("--tail", "5", "--since", "10m", "c1")


def test_a_host_that_cannot_be_asked_is_a_failure_after_the_others_lines(
    raycluster: Raycluster, chatting: FakeFleet
) -> None:
    away = Failure(FailureKind.UNREACHABLE, "192.0.2.2:22 does not answer", fix="is it up?")
    chatting.on("gpu2", sent("find"), away)
    ran = raycluster("logs")
    assert (ran.exit_code, ran.stdout) == (1, "gpu1 | a\ngpu1 | c\n")
    assert "✗ gpu2  192.0.2.2:22 does not answer\n      → is it up?\n" in ran.stderr


def test_a_host_without_a_container_is_a_failure(raycluster: Raycluster, chatting: FakeFleet) -> None:
    chatting.on("gpu2", sent("find"), Output(0, "\x1e\n"))
    ran = raycluster("logs")
    assert (ran.exit_code, ran.stdout) == (1, "gpu1 | a\ngpu1 | c\n")
    assert "✗ gpu2  no container of this cluster is there\n      → raycluster up\n" in ran.stderr


def test_a_docker_that_does_not_answer_is_told_with_its_words(
    raycluster: Raycluster, chatting: FakeFleet
) -> None:
    chatting.on("gpu2", sent("find"), Output(1, stderr="Cannot connect to the Docker daemon"))
    ran = raycluster("logs")
    assert ran.exit_code == 1
    assert (
        "      | Cannot connect to the Docker daemon\n      → on gpu2: sudo systemctl start docker"
        in ran.stderr
    )


def test_names_are_padded_and_nothing_is_coloured_in_a_pipe(
    raycluster: Raycluster, chatting: FakeFleet
) -> None:
    chatting.on(
        "gpu1", sent("logs"), logged((1, "\x1b[31mred\x1b[0m"), (2, "10%\r20%\r"), (3, "\x1b]0;title\x07é"))
    )
    assert raycluster("logs", "gpu1").stdout.splitlines() == [
        *("gpu1 | red", "gpu1 | 20%", "gpu1 | \\x1b]0;title\\x07é")
    ]


def test_on_a_terminal_a_host_has_its_colour_whichever_are_shown(
    raycluster: Raycluster, chatting: FakeFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = console.Screen(force_terminal=True, color_system="standard", soft_wrap=True, _environ={})
    monkeypatch.setattr(console, "answer", lambda: terminal)
    line = next(line for line in raycluster("logs").stdout.splitlines() if "gpu2" in line)
    assert line == "\x1b[33mgpu2 | \x1b[0mb"
    assert line in raycluster("logs", "gpu2").stdout
    assert len(chatting.sent) == 6


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ("inventory.yaml",),
            '"inventory.yaml" is not a host. Name the inventory with -i: -i inventory.yaml',
        ),
        (("gpu3",), 'HOST: no host matches "gpu3"'),
        (("-l", "gpu3"), '--limit: no host matches "gpu3"'),
        (("gpu1", "-l", "gpu2"), "HOST and --limit have no host in common"),
        (("-n", "few"), '"few" is neither a number of lines nor all'),
        (("-n", "-1"), '"-1" is neither a number of lines nor all'),
        (("--since", "yesterday"), '"yesterday" is not a time'),
        (("--ray", "--since", "10m"), "does not go with --ray"),
    ],
)
def test_what_is_refused(raycluster: Raycluster, hosts: FakeFleet, words: tuple[str, ...], why: str) -> None:
    ran = raycluster("logs", *words)
    assert ran.exit_code == 2
    assert why in " ".join(ran.stderr.replace("│", "").split())
    assert hosts.sent == []


def test_rays_files_have_their_name_beside_the_host(raycluster: Raycluster, hosts: FakeFleet) -> None:
    hosts.on("*", sent("find"), FOUND)
    up = "[2026-03-01 12:00:0{},000 I 1 1] up"
    gcs, raylet = up.format(2), up.format(1)
    hosts.on("gpu1", sent("exec"), Output(0, f"gcs_server.out 7:1 {gcs}\nraylet.out 8:1 {raylet}\n"))
    hosts.on("gpu2", sent("exec"), Output(0, ""))
    assert (
        raycluster("logs", "--ray").stdout == f"gpu1 raylet.out     | {raylet}\ngpu1 gcs_server.out | {gcs}\n"
    )


def test_rays_files_of_a_container_that_has_ended(raycluster: Raycluster, hosts: FakeFleet) -> None:
    hosts.on("*", sent("find"), Output(0, "\x1ec1\nexited 137 at noon\n1772366400.0\n"))
    ran = raycluster("logs", "--ray")
    assert ran.exit_code == 1
    assert "✗ gpu1, gpu2  Ray's files are out of reach: its container exited with code 137" in ran.stderr


def test_following_ends_with_exit_code_1_when_no_host_lets_us_in(
    raycluster: Raycluster, hosts: FakeFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fleet, "timeouts", Timeouts(log_backlog=0.01))
    hosts.on(
        "*", sent("find"), Failure(FailureKind.HOST_KEY, "its host key is unknown", fix="raycluster trust")
    )
    ran = raycluster("logs", "-f")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "gpu1: its host key is unknown; it is not followed\n      → raycluster trust\n" in ran.stderr
    assert ran.exit_code != INTERRUPTED
