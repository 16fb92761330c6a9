"""The log of a run says what was run and how it ended; `ls` reads there which inventories were used."""

import json
import os
from pathlib import Path

import pytest

from orchestrator import __version__
from orchestrator.cli.run.run_log import Mask, RunLog
from orchestrator.plan.lock import TAKEN
from orchestrator.remote.transport import Output
from tests.cli.conftest import INVENTORY, Raycluster, sent
from tests.cli.test_lock import HOLDER
from tests.remote.fakes import FakeFleet


def log(folder: Path, command: str) -> list[str]:
    (found,) = folder.glob(f"state/raycluster/log/*-{command}.log")
    return found.read_text().splitlines()


def test_the_log_that_a_failure_names_begins_with_the_command_and_ends_with_the_failure(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    hosts.on("gpu2", sent("run"), Output(125, "", "docker: no such thing\n"))
    ran = raycluster("up", "-j", "4")
    lines = log(folder, "up")
    assert lines[0] == f"# raycluster: {__version__}"
    assert lines[1:4] == [
        "# command: raycluster up -j 4",
        f"# inventory: {folder / 'inventory.yaml'}",
        "# cluster: demo",
    ]
    assert lines[-1] == "# exit code: 1"
    failure = next(line for line in ran.stderr.splitlines() if line.startswith("✗ "))
    at = lines.index(failure.removeprefix("✗ "))
    assert any("gpu2  start its container: docker: no such thing" in line for line in lines[at:])


def test_so_does_that_of_a_success_and_of_a_run_that_was_kept_out(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    assert raycluster("up").exit_code == 0
    assert log(folder, "up")[-1] == "# exit code: 0"
    hosts.streams("gpu1", sent("hold-lock"), *HOLDER, Output(TAKEN))
    assert raycluster("down").exit_code == 4
    assert log(folder, "down")[-1] == "# exit code: 4"


def test_a_full_disk_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", lambda *_: full)
        log = RunLog(tmp_path / "up.log", Mask())
    log.fields(command="raycluster up")
    log.write("started")
    log.close()


def test_its_name_can_be_pasted(hosts: FakeFleet, raycluster: Raycluster, folder: Path) -> None:
    raycluster("serve", "stop")
    assert log(folder, "serve-stop")
    assert hosts.sent


def test_a_secret_on_the_command_line_is_not_in_it(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    hosts.on("gpu1", sent("sources"), Output(1, "", "No such container"))
    raycluster("serve", "org/model", "--", "--api-key", "s3cret")
    assert "# command: raycluster serve org/model -- --api-key" in "\n".join(log(folder, "serve"))
    assert "s3cret" not in "\n".join(log(folder, "serve"))
    assert hosts.sent


def test_the_inventories_that_were_used_are_listed_with_their_last_run(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "other.yaml").write_text(INVENTORY.replace("cluster: demo", "cluster: other"))
    assert raycluster("ls").stdout == ""
    raycluster("up")
    raycluster("down", "other.yaml")
    raycluster("up", "-", stdin=INVENTORY)
    before = len(hosts.sent)
    listed = json.loads(raycluster("ls", "-o", "json").stdout)["inventories"]
    assert len(hosts.sent) == before
    assert {(each["cluster"], Path(each["inventory"]).name, each["exit_code"]) for each in listed} == {
        ("demo", "inventory.yaml", 0),
        ("other", "other.yaml", 0),
    }
    (folder / "other.yaml").unlink()
    shown = raycluster("ls").stdout
    assert "raycluster down other.yaml" in shown
    assert not any(line.endswith(" ") for line in shown.splitlines())
    assert f"{folder / 'other.yaml'} (gone)" in shown


def test_a_log_of_an_older_version_is_passed_over(raycluster: Raycluster, folder: Path) -> None:
    old = folder / "state/raycluster/log/2026-01-01T00-00-00-1-up.log"
    old.parent.mkdir(parents=True)
    old.write_text("    0.00  look at gpu1\n")
    ran = raycluster("ls")
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert "no inventory was used here yet" in ran.stderr
