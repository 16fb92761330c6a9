"""Accounts and hosts that `ssh` does not get a command from either: said in whose words, and what mends it."""

import pytest

from tests.lab import worlds
from tests.lab.lab import Lab
from tests.lab.seeing import SUCCESS, remedies
from tests.lab.worlds import World

from .conftest import Enter

COMMANDS = ("check", "up", "status", "down")
REFUSALS = (
    (
        worlds.FORCED_COMMAND,
        'Please login as the user "ubuntu" rather than the user "root".',
        "ssh: {user: ubuntu}",
    ),
    (worlds.NO_LOGIN, "This account is currently not available.", "ssh: {user: "),
    (worlds.NO_TTY, "sudo: sorry, you must have a tty to run sudo", "!requiretty"),
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("world", "said", "remedy"), REFUSALS, ids=[str(world) for world, *_ in REFUSALS], indirect=["world"]
)
def test_an_account_that_runs_no_command(
    lab: Lab, world: World, said: str, remedy: str, command: str
) -> None:
    answer = lab.raycluster(command, worlds.inventory(lab, world))
    told = answer.stdout + answer.stderr
    assert answer.returncode == (3 if command in {"check", "status"} else 1), told
    assert said in told
    assert any(remedy in each for each in remedies(answer)), told
    assert not any(f" {word}" in told for word in SUCCESS), told


def test_a_home_that_is_read_only(lab: Lab, enter: Enter) -> None:
    enter(worlds.HOME_READ_ONLY)
    inventory = worlds.inventory(lab, worlds.HOME_READ_ONLY)
    for command in ("up", "down"):
        answer = lab.raycluster(command, inventory)
        assert answer.returncode == 1
        assert "Read-only file system" in answer.stderr
        assert any("~/.raycluster" in each for each in remedies(answer)), answer.stderr
    status = lab.raycluster("status", inventory)
    assert (status.returncode, "cluster lab is down" in status.stdout) == (3, True), status.stdout


def test_a_host_without_the_certificate_that_its_authority_would_have_given_it(
    lab: Lab, enter: Enter
) -> None:
    """An impostor would look so: nothing vouches for it, and nobody is advised to trust it."""
    enter(worlds.IMPOSTORS)
    inventory = worlds.inventory(lab, worlds.IMPOSTORS)
    for command in COMMANDS:
        answer = lab.raycluster(command, inventory)
        told = answer.stdout + answer.stderr
        assert answer.returncode in {1, 3}, told
        assert "gpu1" in told
        assert "vouches" not in told
        assert not any("raycluster trust" in each for each in remedies(answer)), told
