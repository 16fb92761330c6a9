"""Accounts as people have them, one of each kind; all kinds live through more in tests/worlds."""

import pytest

from . import living, worlds
from .lab import Lab
from .seeing import remedies
from .worlds import World

QUICK = (worlds.TCSH, worlds.TITLED, worlds.SUDO)


@pytest.mark.parametrize("world", QUICK, ids=str)
def test_a_cluster_comes_up_passes_bytes_and_goes_down(lab: Lab, world: World) -> None:
    worlds.enter(lab, world)
    inventory = worlds.inventory(lab, world)
    living.checked(lab, inventory)
    living.comes_up(lab, inventory)
    living.passes_bytes(lab, inventory)
    living.goes_down(lab, inventory)


def test_an_account_whose_key_has_a_forced_command_says_its_words(lab: Lab) -> None:
    worlds.enter(lab, worlds.FORCED_COMMAND)
    check = lab.raycluster("check", worlds.inventory(lab, worlds.FORCED_COMMAND))
    assert check.returncode == 3
    assert 'Please login as the user "ubuntu"' in check.stdout
    assert any("ssh: {user: ubuntu}" in each for each in remedies(check)), check.stdout
