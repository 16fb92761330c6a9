"""Commands for a host that are not Docker's, really run by `sh`."""

import stat
from pathlib import Path

import pytest

from orchestrator.model.secret import Secret
from orchestrator.plan.host_commands import keep_token
from tests.plan.machines import Machine
from tests.plan.worlds import cluster

TOKEN = Path("home/.raycluster/demo/gpu1.token")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "home").mkdir()
    return Machine(tmp_path)


KEPT = keep_token(cluster(), cluster().head, Secret("ray-token", "c0ffee"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_token_is_readable_for_any_user_of_the_container_in_a_folder_for_its_owner_alone(
    machine: Machine,
) -> None:
    assert machine.run(KEPT).returncode == 0
    token = machine.folder / TOKEN
    assert (mode(token), mode(token.parent)) == (0o644, 0o700)


def test_a_token_and_a_folder_with_other_modes_are_set_right(machine: Machine) -> None:
    token = machine.file(str(TOKEN), "old")
    token.chmod(0o600)
    token.parent.chmod(0o755)
    assert machine.run(KEPT).returncode == 0
    assert (token.read_text(), mode(token), mode(token.parent)) == ("", 0o644, 0o700)


def test_in_a_folder_that_cannot_be_closed_no_token_is_kept(machine: Machine) -> None:
    machine.program("chmod", "#!/bin/sh\necho 'chmod: Operation not permitted' >&2\nexit 1\n")
    refused = machine.run(KEPT)
    assert (refused.returncode, refused.stderr) == (1, "chmod: Operation not permitted\n")
    assert not (machine.folder / TOKEN).exists()
