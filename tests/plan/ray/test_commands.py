"""How Ray is told of accelerators, and what its node table tells."""

import json
import shlex
from dataclasses import replace

import pytest

from orchestrator.model.cluster import Accelerator
from orchestrator.model.ssh_target import host_port
from orchestrator.plan.facts.host import RayNode, RayTable, RayTrouble
from orchestrator.plan.ray import commands as ray
from orchestrator.plan.ray.commands import parse_table
from orchestrator.plan.remedies import OLD_RAY
from orchestrator.plan.typed import where
from tests.plan.recordings import ray_line, ray_row
from tests.plan.worlds import cluster, node


@pytest.mark.parametrize(
    ("accelerator", "told"),
    [
        (Accelerator.NVIDIA, "--num-gpus=8"),
        (Accelerator.AMD, "--num-gpus=8"),
        (Accelerator.INTEL, "--num-gpus=8"),
        (Accelerator.ASCEND, '--resources={"NPU": 8}'),
        (Accelerator.GAUDI, '--resources={"HPU": 8}'),
        (Accelerator.TPU, '--resources={"TPU": 8}'),
    ],
)
def test_ray_is_told_of_a_number_by_its_own_name_for_the_accelerator(
    accelerator: Accelerator, told: str
) -> None:
    machine = node(1, accelerator=accelerator, num_gpus=8, ray_args=("--num-cpus=4",))
    words = shlex.split(ray.start(cluster(), machine, "10.0.0.1", "10.0.0.1"))
    assert {each for each in words if each.startswith(("--num-gpus", "--resources"))} == {told}


def test_a_number_joins_the_resources_of_the_inventory_of_which_ray_takes_the_last() -> None:
    own = ("--resources", '{"big": 1, "NPU": 2}')
    machine = node(1, accelerator=Accelerator.ASCEND, num_gpus=8, ray_args=own)
    words = shlex.split(ray.start(cluster(), machine, "10.0.0.1", "10.0.0.1"))
    assert words[-3:] == [*own, '--resources={"big": 1.0, "NPU": 8}']


EIGHT_GPUS = RayNode("10.0.0.1", alive=True, is_head=True, accelerators=(("GPU", 8),), started=1.0)


def test_gpus_where_npus_should_be_are_told() -> None:
    told = ray.few(EIGHT_GPUS, Accelerator.ASCEND, 8)
    assert told
    assert told.text == "Ray sees 0 of its 8 NPUs, but 8 GPU"
    assert where("accelerator") in told.fix
    assert ray.few(EIGHT_GPUS, Accelerator.NVIDIA, 8) is None


def test_where_ray_needs_a_package_to_count_devices_it_is_named() -> None:
    none = replace(EIGHT_GPUS, accelerators=())
    told = ray.few(none, Accelerator.GAUDI, 1)
    assert told
    assert (told.text, "habana_frameworks" in told.fix) == ("Ray sees 0 of its 1 HPUs", True)


@pytest.mark.parametrize(("ip", "written"), [("10.0.0.1", "10.0.0.1:6379"), ("fd00::1", "[fd00::1]:6379")])
def test_an_address_has_the_brackets_that_ipv6_needs(ip: str, written: str) -> None:
    assert host_port(ip, 6379) == written


def test_a_table_is_read() -> None:
    assert parse_table(ray_line(ray_row(accelerators={"GPU": 4}))) == RayTable(
        "2.56.0",
        (
            RayNode(
                "10.0.0.1",
                alive=True,
                is_head=True,
                accelerators=(("GPU", 4),),
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
