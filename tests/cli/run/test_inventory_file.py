"""Which inventory a command reads, and what it says of a bad one."""

from pathlib import Path

import pytest

from tests.cli.conftest import INVENTORY, Raycluster
from tests.remote.fakes import FakeFleet


def named(folder: Path, file: str) -> None:
    """An inventory whose cluster is called as its file."""
    (folder / f"{file}.yaml").write_text(INVENTORY.replace("cluster: demo", f"cluster: {file}"))


def test_the_argument_wins_over_the_option_the_option_over_the_environment_and_that_over_the_default(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("argument", "option", "variable"):
        named(folder, file)
    assert raycluster("status").stdout.startswith("cluster demo ")
    monkeypatch.setenv("RAYCLUSTER_INVENTORY", "variable.yaml")
    assert raycluster("status").stdout.startswith("cluster variable ")
    assert raycluster("status", "-i", "option.yaml").stdout.startswith("cluster option ")
    assert raycluster("status", "argument.yaml", "-i", "option.yaml").stdout.startswith("cluster argument ")
    assert hosts.sent


def test_a_dash_reads_standard_input(hosts: FakeFleet, raycluster: Raycluster) -> None:
    assert raycluster("status", "-", stdin=INVENTORY).stdout.startswith("cluster demo ")
    assert hosts.sent


@pytest.mark.parametrize("command", ["up", "down", "status", "trust"])
def test_every_problem_of_the_file_is_said_at_once_and_nobody_is_contacted(
    command: str, hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(
        INVENTORY.replace("host: gpu2", "hsot: gpu2").replace("num_gpus: 8", "num_gpus: x")
    )
    ran = raycluster(command)
    assert (ran.exit_code, ran.stdout, hosts.sent) == (2, "", [])
    assert "inventory.yaml:4:17: ray.num_gpus: " in ran.stderr
    assert 'inventory.yaml:7:6: workers[0].hsot: unknown key "hsot"; did you mean "host"?' in ran.stderr


def test_without_any_inventory_it_says_how_to_name_one(raycluster: Raycluster, folder: Path) -> None:
    (folder / "inventory.yaml").unlink()
    ran = raycluster("status")
    assert ran.exit_code == 2
    assert "no inventory: name a file, or let `raycluster init` write ./inventory.yaml" in ran.stderr


@pytest.mark.parametrize("command", ["up", "down", "status", "check"])
def test_a_host_where_the_inventory_is_meant_is_told_apart(
    command: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster(command, "gpu1")
    assert (ran.exit_code, ran.stdout, hosts.sent) == (2, "", [])
    assert ran.stderr.startswith("gpu1: there is no such file. The argument is the inventory;")
