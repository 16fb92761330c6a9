"""Which inventory a command reads, and what it says of a bad one."""

from pathlib import Path

import pytest

from tests.cli.conftest import INVENTORY, Raycluster
from tests.remote.fakes import FakeFleet


def named(folder: Path, file: str) -> None:
    """An inventory whose cluster is called as its file."""
    (folder / f"{file}.yaml").write_text(INVENTORY.replace("cluster: demo", f"cluster: {file}"))


def test_what_is_typed_wins_over_the_environment_and_that_over_the_default(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("argument", "option", "variable"):
        named(folder, file)
    assert raycluster("status").stdout.startswith("cluster demo ")
    monkeypatch.setenv("RAYCLUSTER_INVENTORY", "variable.yaml")
    assert raycluster("status").stdout.startswith("cluster variable ")
    assert raycluster("status", "-i", "option.yaml").stdout.startswith("cluster option ")
    assert raycluster("status", "argument.yaml").stdout.startswith("cluster argument ")
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


@pytest.mark.parametrize(
    "command", ["up", "down", "status", "check", "pull", "trust", "metrics", "config show"]
)
def test_a_host_where_the_inventory_is_meant_is_answered_with_the_line(
    command: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster(*command.split(), "gpu1")
    assert (ran.exit_code, ran.stdout, hosts.sent) == (2, "", [])
    meant = f"hosts go with -l: raycluster {command} -l gpu1\n"
    assert ran.stderr == f'"gpu1" is a host of inventory.yaml, and {meant}'
    assert "No such option" not in raycluster(*command.split(), "-l", "gpu9").stderr


def test_the_rest_of_the_line_stays_and_so_does_the_inventory(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    named(folder, "other")
    (folder / "inventory.yaml").unlink()
    ran = raycluster("down", "-y", "-i", "other.yaml", "gpu*")
    assert "hosts go with -l: raycluster down -y -i other.yaml -l 'gpu*'\n" in ran.stderr
    assert raycluster("status", "gpu1", "gpu2").stderr == "hosts go with -l: raycluster status -l gpu1,gpu2\n"
    assert hosts.sent == []


@pytest.mark.parametrize("command", ["dashboard", "lock status"])
def test_what_is_for_the_whole_cluster_says_so(
    command: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster(*command.split(), "gpu1")
    assert (ran.exit_code, hosts.sent) == (2, [])
    assert f"raycluster {command} is for the whole cluster" in ran.stderr


def test_a_file_that_is_missing_is_no_host(hosts: FakeFleet, raycluster: Raycluster) -> None:
    ran = raycluster("status", "gpu7")
    assert (ran.exit_code, hosts.sent) == (2, [])
    assert ran.stderr == "gpu7: there is no such file. The argument is the inventory; hosts go with -l\n"


def test_a_missing_file_is_told_with_the_one_of_nearly_its_name(raycluster: Raycluster) -> None:
    for words in (["invetory.yaml"], ["-i", "invetory.yaml"], ["inventory.yml"]):
        said = raycluster("status", *words).stderr
        assert said == f"{words[-1]}: there is no such file; did you mean inventory.yaml?\n"


@pytest.mark.parametrize("command", ["up", "down", "status", "config check"])
def test_two_inventories_are_refused_and_one_that_is_named_twice_is_not(
    command: str, hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    named(folder, "other")
    ran = raycluster(*command.split(), "inventory.yaml", "-i", "other.yaml")
    assert (ran.exit_code, ran.stdout, hosts.sent) == (2, "", [])
    assert ran.stderr == "two inventories are named, other.yaml and inventory.yaml: name one\n"
    assert raycluster("config", "check", "inventory.yaml", "-i", "./inventory.yaml").exit_code == 0


def test_the_other_spelling_of_the_usual_name_is_found_and_both_are_told(
    raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yml").write_text(INVENTORY.replace("cluster: demo", "cluster: yml"))
    both = raycluster("config", "check")
    assert both.stdout == "inventory.yaml: good: cluster demo, 1 head and 1 worker\n"
    assert both.stderr == "inventory.yaml is read; inventory.yml is there, too\n"
    (folder / "inventory.yaml").unlink()
    alone = raycluster("config", "check")
    assert (alone.stdout, alone.stderr) == ("inventory.yml: good: cluster yml, 1 head and 1 worker\n", "")
