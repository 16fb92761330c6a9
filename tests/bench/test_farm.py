"""What the farm tells of itself; that it answers, `make bench` demands of each run."""

from pathlib import Path

import pytest

from orchestrator.model.cluster import Cluster, Role
from orchestrator.model.inventory.parse import load
from tests.bench.farm import SILENT, Farm


@pytest.fixture
def made(tmp_path: Path) -> Farm:
    made = Farm(tmp_path)
    for folder in (made.told, made.home):
        folder.mkdir(parents=True)
    return made


def test_its_inventory_is_a_cluster_of_as_many_hosts(made: Farm) -> None:
    cluster = load(str(made.cluster(200)))
    assert isinstance(cluster, Cluster)
    assert [node.ip for node in cluster.nodes] == made.addresses(200)
    assert [node.role for node in cluster.nodes].count(Role.HEAD) == 1
    assert {f"{cluster.container(node)}" for node in cluster.nodes} < {
        each.name for each in made.told.iterdir()
    }


def test_the_last_host_can_be_one_that_never_answers(made: Farm) -> None:
    cluster = load(str(made.cluster(50, silent=True)))
    assert isinstance(cluster, Cluster)
    assert [node.ip for node in cluster.nodes] == [*made.addresses(49), SILENT]
    assert SILENT not in next(made.told.glob("*.table")).read_text()
