"""`--limit`: which hosts a pattern selects."""

import pytest

from orchestrator.model.cluster import Cluster, Node, Role
from orchestrator.model.select import NoMatch, select


def node(name: str, role: Role = Role.WORKER) -> Node:
    return Node(name=name, host=name, role=role, ip=None)


CLUSTER = Cluster("demo", "image", node("boss", Role.HEAD), tuple(node(f"gpu{i}") for i in range(1, 5)))


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("gpu2", "gpu2"),
        ("gpu3,gpu1", "gpu1 gpu3"),
        ("gpu1,gpu1,gpu*", "gpu1 gpu2 gpu3 gpu4"),
        ("gpu[1-2]", "gpu1 gpu2"),
        ("head", "boss"),
        ("workers", "gpu1 gpu2 gpu3 gpu4"),
        ("head,gpu?", "boss gpu1 gpu2 gpu3 gpu4"),
        ("*", "boss gpu1 gpu2 gpu3 gpu4"),
        ("!gpu2", "boss gpu1 gpu3 gpu4"),
        ("!head", "gpu1 gpu2 gpu3 gpu4"),
        ("workers,!gpu[34]", "gpu1 gpu2"),
        ("!gpu1, gpu*", "gpu2 gpu3 gpu4"),
    ],
)
def test_a_limit_selects_hosts_in_the_order_of_the_inventory(limit: str, expected: str) -> None:
    selected = select(CLUSTER, limit)
    assert isinstance(selected, tuple)
    assert " ".join(node.name for node in selected) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("gpu9", 'no host matches "gpu9"; did you mean "gpu4"? the hosts are boss, gpu1, gpu2, gpu3, gpu4'),
        ("gpu1,x*", 'no host matches "x*"; the hosts are boss, gpu1, gpu2, gpu3, gpu4'),
        ("!tpu", 'no host matches "!tpu"; the hosts are boss, gpu1, gpu2, gpu3, gpu4'),
        ("GPU1", 'no host matches "GPU1"; the hosts are boss, gpu1, gpu2, gpu3, gpu4'),
        ("all", 'no host matches "all"; did you mean "*"? the hosts are boss, gpu1, gpu2, gpu3, gpu4'),
        ("gpu1,!gpu1", 'no host matches "gpu1,!gpu1"; the hosts are boss, gpu1, gpu2, gpu3, gpu4'),
        ("", 'no host matches ""; the hosts are boss, gpu1, gpu2, gpu3, gpu4'),
    ],
)
def test_a_limit_that_matches_nothing_names_the_hosts(limit: str, expected: str) -> None:
    found = select(CLUSTER, limit)
    assert isinstance(found, NoMatch)
    assert str(found) == expected


def test_workers_of_a_lone_head_match_nothing() -> None:
    assert select(Cluster("demo", "image", node("boss", Role.HEAD)), "workers") == NoMatch(
        "workers", ("boss",)
    )


def test_a_large_cluster_is_not_listed_in_full() -> None:
    many = Cluster("demo", "image", node("boss", Role.HEAD), tuple(node(f"gpu{i}") for i in range(200)))
    assert str(select(many, "x")).endswith("gpu17, gpu18 and 181 more")


def test_a_host_that_is_named_by_its_address_is_told_by_its_name() -> None:
    worker = Node("gpu1", "gpu1.example.com", Role.WORKER, "192.0.2.12")
    cluster = Cluster("demo", "image", node("boss", Role.HEAD), (worker,))
    for address in ("192.0.2.12", "gpu1.example.com"):
        assert f'no host matches "{address}"; did you mean "gpu1"?' in str(select(cluster, address))
