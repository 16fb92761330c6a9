"""How many GPUs Ray has to list, and what its node table tells."""

import json

import pytest

from orchestrator.model.cluster import Accelerator, Docker
from orchestrator.model.ssh_target import host_port
from orchestrator.plan.facts.host import RayNode, RayTable, RayTrouble
from orchestrator.plan.ray.commands import expected_gpus, parse_table
from orchestrator.plan.remedies import OLD_RAY
from tests.plan.recordings import ray_line, ray_row
from tests.plan.worlds import bare_host, node


@pytest.mark.parametrize(
    ("accelerator", "expected"),
    [
        (Accelerator.NVIDIA, 8),
        (Accelerator.AMD, 1),
        (Accelerator.INTEL, 1),
        (Accelerator.ASCEND, 1),
        (Accelerator.NONE, 0),
    ],
)
def test_gpus_are_expected_for_each_accelerator_as_far_as_the_host_tells(
    accelerator: Accelerator, expected: int
) -> None:
    machine = node(1, accelerator=accelerator, num_gpus=None)
    assert expected_gpus(machine, bare_host(machine, gpus=8)) == expected


@pytest.mark.parametrize("accelerator", Accelerator)
@pytest.mark.parametrize("told", [0, 3])
def test_what_the_inventory_says_of_gpus_wins(accelerator: Accelerator, told: int) -> None:
    machine = node(1, accelerator=accelerator, num_gpus=told)
    assert expected_gpus(machine, bare_host(machine, gpus=8)) == told


@pytest.mark.parametrize(
    ("gpus", "found", "expected"),
    [
        ("all", 8, 8),
        ("all", None, 1),
        ("2", 8, 2),
        ("0", 8, 0),
        ("device=3", 8, 1),
        ("device=0,2,5", 8, 3),
        ('"device=0,2"', 8, 2),
        ("'device=0,2'", 8, 2),
        ("device=GPU-3faa8,GPU-17bb2", 8, 2),
        ("capabilities=utility", 8, 1),
    ],
)
def test_nvidia_gpus_are_expected_as_docker_was_told(gpus: str, found: int | None, expected: int) -> None:
    machine = node(1, accelerator=Accelerator.NVIDIA, num_gpus=None, docker=Docker(gpus=gpus))
    assert expected_gpus(machine, bare_host(machine, gpus=found)) == expected


@pytest.mark.parametrize(("ip", "written"), [("10.0.0.1", "10.0.0.1:6379"), ("fd00::1", "[fd00::1]:6379")])
def test_an_address_has_the_brackets_that_ipv6_needs(ip: str, written: str) -> None:
    assert host_port(ip, 6379) == written


def test_a_table_is_read() -> None:
    assert parse_table(ray_line(ray_row(gpus=4))) == RayTable(
        "2.56.0",
        (
            RayNode(
                "10.0.0.1",
                alive=True,
                is_head=True,
                gpus=4,
                started=1772366405.0,
                hostname="gpu1",
                port=33169,
                metrics=44707,
            ),
        ),
    )


def test_an_error_keeps_whether_ray_is_gone() -> None:
    assert parse_table('{"error": "nothing listens", "gone": true}') == RayTrouble(
        "nothing listens", gone=True
    )


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "null",
        "3",
        "[]",
        "{}",
        '{"ray": "2.56.0"}',
        '{"ray": "2.56.0", "nodes": 3}',
        '{"ray": "2.56.0", "nodes": [{}]}',
        '{"ray": "2.56.0", "nodes": ["10.0.0.1"]}',
        '{"error": "no word of gone"}',
        json.dumps({"ray": "2.56.0", "nodes": [ray_row()]})[:-1],
    ],
)
def test_what_is_no_table_is_trouble_in_its_own_words(line: str) -> None:
    assert parse_table(f" {line}\n") == RayTrouble(line, gone=False)


def test_no_answer_at_all_is_trouble_too() -> None:
    assert parse_table("\n") == RayTrouble("what asks Ray for its nodes has said nothing", gone=False)


def test_a_ray_that_is_too_old_never_answers_and_is_told_with_the_first_that_does() -> None:
    table = parse_table('{"error": "…", "gone": false, "too_old": "2.30.0"}')
    told = "Ray 2.30.0 is too old: 2.31 is the first that works"
    assert table == RayTrouble(told, OLD_RAY, gone=False, final=True)
