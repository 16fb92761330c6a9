"""A cluster's whole life on hosts of every kind that `ssh` reaches."""

import pytest

from tests.lab import living, worlds
from tests.lab.lab import Lab
from tests.lab.worlds import FAREWELL, REACHED, World


@pytest.mark.parametrize("world", REACHED, ids=str, indirect=True)
def test_a_cluster_lives(lab: Lab, world: World) -> None:
    living.lend_vllm(lab)
    inventory = worlds.inventory(lab, world, **living.SERVING)
    for step in living.STEPS:
        step(lab, inventory)


@pytest.mark.parametrize("world", [FAREWELL], ids=str, indirect=True)
def test_what_a_login_shell_says_after_each_command_disturbs_nothing(lab: Lab, world: World) -> None:
    living.lend_vllm(lab)
    inventory = worlds.inventory(lab, world, **living.SERVING)
    for step in living.STEPS:
        if step is not living.passes_bytes:
            step(lab, inventory)
