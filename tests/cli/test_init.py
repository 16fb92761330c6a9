"""`raycluster init` as a person meets it, on hosts that are not there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.remote.ssh.host_keys import Known, Unknown
from orchestrator.remote.ssh.known_hosts import HostKey
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import Raycluster, seen, sent
from tests.plan.recordings import INSPECTED, Said, told
from tests.remote.fakes import FakeFleet

KEY = HostKey("ssh-ed25519", "AAAA")
DOWN = Failure(FailureKind.UNREACHABLE, "gpu2:22 does not answer", fix="is it up?")

Meet = Callable[[str, Ssh], Known | Unknown | Failure]


@pytest.fixture
def machines(hosts: FakeFleet, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeFleet:
    """Two machines whose keys are known, with eight GPUs each, and no inventory yet."""
    (folder / "inventory.yaml").unlink()
    gpus = Said(INSPECTED["hardware"].text + "nvidia_usable 8\n")
    hosts.on("*", sent("inspect"), Output(0, *told(INSPECTED | {"hardware": gpus})))
    meet(monkeypatch, lambda host, _: Known(host, KEY))
    return hosts


def meet(monkeypatch: pytest.MonkeyPatch, examine: Meet) -> None:
    monkeypatch.setattr("orchestrator.remote.ssh.keyscan.examine", examine)


def test_two_machines_become_an_inventory(machines: FakeFleet, raycluster: Raycluster, folder: Path) -> None:
    ran = raycluster("init", "gpu1", "gpu2")
    assert (ran.exit_code, ran.stdout) == (
        0,
        "cluster demo: 1 head and 1 worker, addresses in 10.0.0.0/24 (eth0)\n"
        "  gpu1  10.0.0.1  8 NVIDIA GPUs  head\n"
        "  gpu2  10.0.0.2  8 NVIDIA GPUs\n"
        "inventory.yaml is written. Read it, then: raycluster check\n",
    )
    assert "  - {host: gpu2, ip: 10.0.0.2} " in (folder / "inventory.yaml").read_text()
    assert raycluster("config", "check").exit_code == 0
    assert {each.command.script for each in machines.sent} == {"observe", "inspect"}
    assert [file.name for file in folder.iterdir()] == ["inventory.yaml"]


def test_this_machine_is_looked_at_without_ssh(
    machines: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def note(host: str, _: Ssh) -> Known:
        asked.append(host)
        return Known(host, KEY)

    meet(monkeypatch, note)
    monkeypatch.setattr("orchestrator.remote.fleet.LocalTransport", lambda *_: machines["gpu1"])
    ran = raycluster("init", "local", "gpu2")
    assert (ran.exit_code, asked) == (0, ["gpu2"])
    assert "local  10.0.0.1  8 NVIDIA GPUs  head\n" in ran.stdout


def test_a_dash_is_standard_output(machines: FakeFleet, raycluster: Raycluster, folder: Path) -> None:
    ran = raycluster("init", "gpu1", "gpu2", "-i", "-", "--image", "ours:1")
    assert ran.stdout.startswith("# A raycluster inventory")
    assert "image: ours:1 " in ran.stdout
    assert raycluster("config", "check", "-", stdin=ran.stdout).exit_code == 0
    assert "cluster demo: 1 head and 1 worker" in ran.stderr
    assert machines.sent
    assert not list(folder.iterdir())


def test_a_file_that_is_there_is_never_replaced_without_a_yes(
    machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    file = folder / "inventory.yaml"
    file.write_text("mine")
    ran = raycluster("init", "gpu1", "gpu2")
    assert (ran.exit_code, machines.sent, file.read_text()) == (2, [], "mine")
    assert (
        "there twice" in raycluster("init", "gpu1", "gpu1").stderr
    )  # whether the rest makes sense comes first
    assert (
        "inventory.yaml is there already. Replace it? Nobody is there to answer: say yes with -y."
        in ran.stderr
    )
    assert raycluster("init", "gpu1", "gpu2", "-y").exit_code == 0
    assert file.read_text() != "mine"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "no machine is named: raycluster init gpu1 gpu2 gpu3, the head first. Nothing was done."),
        (["gpu1", "gpu1"], '"gpu1" is there twice'),
        (["gpu1:x"], "should be [user@]host[:port]"),
        (["gpu1", "--image", "A B"], "should be a Docker image"),
        (
            ["gpu1", "-i", "none/inventory.yaml"],
            "none/inventory.yaml: there is no such folder. Nothing was done.",
        ),
        (["gpu1", "-i", "."], ".: is a folder. Nothing was done."),
    ],
)
def test_what_makes_no_sense_is_said_before_anybody_is_contacted(
    words: list[str], why: str, machines: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster("init", *words)
    assert (ran.exit_code, ran.stdout, machines.sent) == (2, "", [])
    assert why in " ".join(ran.stderr.replace("│", "").split())


def test_a_machine_that_does_not_answer_is_named_and_nothing_is_written(
    machines: FakeFleet, raycluster: Raycluster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet(monkeypatch, lambda host, _: DOWN if host == "gpu2" else Known(host, KEY))
    ran = raycluster("init", "gpu1", "ana@gpu2:2222")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "✗ gpu2  gpu2:22 does not answer\n      → is it up?\n" in ran.stderr
    assert "Once gpu2 answers, try again; without gpu2: raycluster init gpu1\n" in ran.stderr
    assert not list(folder.iterdir())
    assert not machines.lines("gpu2")


def test_so_is_one_that_lets_nobody_in(machines: FakeFleet, raycluster: Raycluster, folder: Path) -> None:
    machines.on(
        "gpu2", sent("observe"), Failure(FailureKind.AUTH, "gpu2 refuses every key", detail="agent: no")
    )
    ran = raycluster("init", "gpu1", "gpu2")
    assert ran.exit_code == 1
    assert "✗ gpu2  gpu2 refuses every key\n      | agent: no\n" in ran.stderr
    assert not list(folder.iterdir())


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_an_unknown_host_key_is_recorded_after_a_yes_alone(
    answer: str,
    code: int,
    machines: FakeFleet,
    raycluster: Raycluster,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = folder / "known_hosts"
    known.touch()
    meet(
        monkeypatch,
        lambda host, _: Known(host, KEY) if host in known.read_text() else Unknown(host, KEY, known),
    )
    ran = raycluster("init", "gpu1", "gpu2", stdin=answer)
    assert ran.exit_code == code
    assert "Record 2 keys in known_hosts? [y/N] " in ran.stderr
    assert (folder / "inventory.yaml").exists() is (code == 0)
    assert bool(machines.sent) is (code == 0)


def test_docker_that_does_not_answer_is_told_and_the_file_written(
    machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    mute = Said("", "Cannot connect to the Docker daemon\n", 1)
    machines.on("gpu2", sent("observe"), seen("10.0.0.2", containers=mute))
    ran = raycluster("init", "gpu1", "gpu2")
    assert ran.exit_code == 0
    assert "! gpu2  Docker does not answer: Cannot connect to the Docker daemon" in ran.stderr
    assert (folder / "inventory.yaml").exists()


def test_machines_without_a_network_in_common_are_told_with_their_addresses(
    machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    machines.on("gpu2", sent("observe"), seen("10.0.0.1"))
    ran = raycluster("init", "gpu1", "gpu2")
    assert ran.exit_code == 1
    assert "| gpu2  10.0.0.1 (eth0)" in ran.stderr
    assert "Nothing was written." in ran.stderr
    assert not list(folder.iterdir())
