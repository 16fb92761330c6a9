"""`raycluster add` and `remove`: the inventory's text with a worker more or fewer, all else as it was."""

from pathlib import Path

import pytest

from orchestrator.remote.ssh.host_keys import Known
from orchestrator.remote.ssh.known_hosts import HostKey
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import INVENTORY, Raycluster, seen, sent
from tests.plan.recordings import INSPECTED, Said, addresses, told
from tests.remote.fakes import FakeFleet

KEY = HostKey("ssh-ed25519", "AAAA")
ELSEWHERE = addresses(("eth0", "192.0.2.3"), ("eth1", "198.51.100.3"))
COMMENTED = f"# ours, do not touch\n{INVENTORY}  # more to come\n\n# the end\n"


@pytest.fixture
def machines(hosts: FakeFleet, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeFleet:
    """Two more machines, with eight GPUs each, that the inventory does not have."""
    (folder / "inventory.yaml").write_text(COMMENTED)
    gpus = Said(INSPECTED["hardware"].text + "nvidia_usable 8\n")
    hosts.on("*", sent("inspect"), Output(0, *told(INSPECTED | {"hardware": gpus})))
    hosts.on("gpu3", sent("observe"), seen("10.0.0.3"))
    hosts.on("gpu4", sent("observe"), seen("10.0.0.4"))
    monkeypatch.setattr("orchestrator.remote.ssh.keyscan.examine", lambda host, _: Known(host, KEY))
    return hosts


def inventory(folder: Path) -> str:
    return (folder / "inventory.yaml").read_text()


def test_a_machine_is_looked_at_and_becomes_a_worker(
    machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    ran = raycluster("add", "gpu3", "ben@gpu4:2222")
    three = "{host: gpu3, ip: 10.0.0.3, accelerator: nvidia}"
    four = "{host: gpu4, ip: 10.0.0.4, ssh: {user: ben, port: 2222}, accelerator: nvidia}"
    assert (ran.exit_code, ran.stdout) == (
        0,
        f"{three}  8 NVIDIA GPUs\n{four}  8 NVIDIA GPUs\n"
        "inventory.yaml: 2 workers added, 4 hosts now\n"
        "Start gpu3, gpu4; what runs stays: raycluster up\n",
    )
    worker = "  - {host: gpu2, ip: 10.0.0.2}\n"
    assert inventory(folder) == COMMENTED.replace(worker, f"{worker}  - {three}\n  - {four}\n")
    assert {each.host for each in machines.sent} == {"gpu3", "gpu4"}
    assert {each.command.script for each in machines.sent} == {"observe", "inspect"}


def test_a_file_that_gives_a_network_needs_no_address(
    machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    text = "cluster: demo\nimage: x\nnetwork: 10.0.0.0/24\nhead: {host: gpu1}\n"
    (folder / "inventory.yaml").write_text(text)
    assert raycluster("add", "gpu3").exit_code == 0
    assert inventory(folder) == f"{text}workers:\n  - {{host: gpu3}}\n"
    assert machines.sent


def test_a_dry_run_shows_the_change_and_writes_nothing(
    machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    ran = raycluster("add", "gpu3", "--dry-run")
    assert "+  - {host: gpu3, ip: 10.0.0.3, accelerator: nvidia}\n" in ran.stdout
    removed = raycluster("remove", "gpu2", "--dry-run")
    assert "--- inventory.yaml\n+++ inventory.yaml (new)\n" in removed.stdout
    assert "-  - {host: gpu2, ip: 10.0.0.2}\n" in removed.stdout
    assert inventory(folder) == COMMENTED
    assert machines.sent


def test_a_machine_that_does_not_answer_is_named_and_nothing_is_written(
    machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    machines.on("gpu4", sent("observe"), Failure(FailureKind.AUTH, "gpu4 refuses every key"))
    ran = raycluster("add", "gpu3", "gpu4")
    assert (ran.exit_code, ran.stdout, inventory(folder)) == (1, "", COMMENTED)
    assert ran.stderr == "✗ gpu4  gpu4 refuses every key\nNothing was written.\n"


@pytest.mark.parametrize(
    ("ip", "why"),
    [
        ("10.0.0.2", "✗ gpu3  10.0.0.2 is the `ip` of gpu2: it is that machine\n"),
        (
            "",
            "✗ gpu3  it has no address where 10.0.0.1, 10.0.0.2 are: 192.0.2.3 (eth0), 198.51.100.3 (eth1)\n"
            "      → write it into inventory.yaml by hand, with its `ip`\n",
        ),
    ],
)
def test_a_machine_whose_address_is_not_to_be_told_is_not_written(
    ip: str, why: str, machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    machines.on("gpu3", sent("observe"), seen(ip, **({} if ip else {"addresses": ELSEWHERE})))
    ran = raycluster("add", "gpu3")
    assert (ran.exit_code, ran.stdout, inventory(folder)) == (1, "", COMMENTED)
    assert ran.stderr.startswith(why)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["add", "gpu2"], "gpu2: in inventory.yaml already. Nothing was done."),
        (["add", "gpu3:x"], "should be [user@]host[:port]"),
        (["add"], "raycluster add: HOST is missing → raycluster add -h"),
        (
            ["add", "other.yaml", "gpu3"],
            '"other.yaml" is not a host. Name the inventory with -i: -i other.yaml',
        ),
        (["add", "gpu3", "-i", "-"], "standard input cannot be edited: name a file with -i"),
        (["add", "gpu3", "-i", "no.yaml"], "no.yaml: there is no such file"),
        (["remove", "gpu9"], 'HOST: no host matches "gpu9"; did you mean "gpu2"? the hosts are gpu1, gpu2'),
        (
            ["remove", "gpu2", "head"],
            "gpu1 is the head, which the others join: stop the cluster (`raycluster down`)",
        ),
    ],
)
def test_what_cannot_be_is_said_before_anybody_is_contacted(
    words: list[str], why: str, machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    ran = raycluster(*words)
    assert (ran.exit_code, ran.stdout, machines.sent, inventory(folder)) == (2, "", [], COMMENTED)
    assert why in ran.stderr


def test_a_worker_is_taken_out_and_nobody_contacted(
    machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    ran = raycluster("remove", "gpu2")
    assert (ran.exit_code, ran.stdout, machines.sent) == (
        0,
        "inventory.yaml: gpu2 removed, 1 host now\nTo remove what still runs there: raycluster up --prune\n",
        [],
    )
    assert inventory(folder) == COMMENTED.replace("workers:\n  - {host: gpu2, ip: 10.0.0.2}\n", "")


def test_the_lines_to_type_name_the_file_where_it_would_not_be_found(
    machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").rename(folder / "my file.yaml")
    assert "raycluster up -i 'my file.yaml'\n" in raycluster("add", "-i", "my file.yaml", "gpu3").stdout
    assert (
        "raycluster up -i 'my file.yaml' --prune\n"
        in raycluster("remove", "-i", "my file.yaml", "gpu3").stdout
    )
    assert machines.sent


def test_a_file_that_others_refer_to_is_not_broken(raycluster: Raycluster, folder: Path) -> None:
    text = INVENTORY.replace("  - {host: gpu2, ip: 10.0.0.2}", "  - &two {host: gpu2, ip: 10.0.0.2}")
    text += "  - {<<: *two, host: gpu3, ip: 10.0.0.3}\n"
    (folder / "inventory.yaml").write_text(text)
    ran = raycluster("remove", "gpu2")
    assert (ran.exit_code, inventory(folder)) == (2, text)
    assert "no anchor (&name) of this name above" in ran.stderr
    assert "Nothing was written: inventory.yaml would not load. By hand: take gpu2 out" in ran.stderr


def test_the_file_keeps_its_mode_and_its_place_behind_a_link(raycluster: Raycluster, folder: Path) -> None:
    file = (folder / "inventory.yaml").rename(folder / "real.yaml")
    file.chmod(0o640)
    (folder / "inventory.yaml").symlink_to("real.yaml")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert raycluster("remove", "gpu2").exit_code == 0
    assert (folder / "inventory.yaml").is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.read_bytes().startswith(b"\xef\xbb\xbfcluster: demo\r\n")
    assert b"gpu2" not in file.read_bytes()


def test_a_file_that_somebody_changes_meanwhile_is_left_alone(
    machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    def changes(*_: object) -> Output:
        (folder / "inventory.yaml").write_text(INVENTORY)
        return seen("10.0.0.3")

    machines.on("gpu3", sent("observe"), changes)
    ran = raycluster("add", "gpu3")
    assert (ran.exit_code, inventory(folder)) == (2, INVENTORY)
    assert "inventory.yaml was changed meanwhile, and nothing was written" in ran.stderr


def test_a_new_inventory_can_be_given_a_name(
    machines: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    assert raycluster("init", "gpu1", "gpu2", "-y", "--name", "lab").exit_code == 0
    assert "cluster: lab " in inventory(folder)
    assert machines.sent
    wrong = raycluster("init", "gpu1", "-y", "--name", "No Name")
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("--name: ")
