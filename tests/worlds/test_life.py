"""A cluster's whole life on hosts of every kind that `ssh` reaches."""

import pytest

from tests.lab import living, worlds
from tests.lab.lab import Lab
from tests.lab.worlds import REACHED, World


@pytest.mark.parametrize("world", REACHED, ids=str, indirect=True)
def test_a_cluster_lives(lab: Lab, world: World) -> None:
    living.lend_vllm(lab)
    inventory = worlds.inventory(lab, world, **living.SERVING)
    for step in living.STEPS:
        step(lab, inventory)
