"""How many devices a node's container is given, and how many of them Ray has to list."""

import json
from dataclasses import replace

import pytest

from orchestrator.model.cluster import Accelerator, Docker
from orchestrator.plan import devices
from orchestrator.plan.typed import change, where
from tests.plan.worlds import bare_host, node


def expected(
    accelerator: Accelerator = Accelerator.NVIDIA,
    found: int | None = 8,
    image: tuple[tuple[str, str], ...] = (),
    **changes: object,
) -> int:
    machine = node(1, accelerator=accelerator, **{"num_gpus": None} | changes)
    return devices.expected(machine, replace(bare_host(machine, gpus=found), image_env=image))


@pytest.mark.parametrize(
    ("accelerator", "count"),
    [
        (Accelerator.NVIDIA, 8),
        (Accelerator.AMD, 1),
        (Accelerator.INTEL, 1),
        (Accelerator.ASCEND, 8),  # as many as its container is given
        (Accelerator.GAUDI, 1),
        (Accelerator.TPU, 1),
        (Accelerator.NONE, 0),
    ],
)
def test_devices_are_expected_as_far_as_anybody_tells(accelerator: Accelerator, count: int) -> None:
    assert expected(accelerator) == count


@pytest.mark.parametrize("accelerator", Accelerator)
@pytest.mark.parametrize("told", [0, 3])
def test_what_the_inventory_says_wins(accelerator: Accelerator, told: int) -> None:
    assert expected(accelerator, num_gpus=told) == told


def test_what_ray_is_told_by_its_own_arguments_counts() -> None:
    assert expected(Accelerator.ASCEND, ray_args=("--resources", '{"NPU": 4}')) == 4
    assert expected(Accelerator.ASCEND, ray_args=('--resources={"big": 1}',)) == 8
    assert expected(Accelerator.ASCEND, ray_args=("--resources=nonsense",)) == 8


@pytest.mark.parametrize(
    ("gpus", "found", "count"),
    [
        ("all", 8, 8),
        ("all", None, 1),
        ("2", 8, 2),
        ("0", 8, 0),
        ("-1", 8, 8),
        ("device=3", 8, 1),
        ("device=0,2,5", 8, 3),
        ('"device=0,2"', 8, 2),
        ("device=GPU-3faa8,GPU-17bb2", 8, 2),
        ('"device=0:0,0:1"', 8, 1),  # two slices of one GPU, and drivers count GPUs
        ('"device=0:0,1:0"', 8, 2),
        ("capabilities=utility", 8, 1),
        ('"device=0,1","capabilities=compute,utility"', 8, 2),
        ("count=2,capabilities=gpu", 8, 2),
        ("driver=nvidia,count=1", 8, 1),
        ("driver=nvidia", 8, 1),
        ("all,capabilities=utility", 8, 8),
        ('all,"capabilities=compute,utility"', 8, 8),
        ("driver=cdi,device=nvidia.com/gpu=all", 8, 8),
        ('driver=cdi,"device=nvidia.com/gpu=0,nvidia.com/gpu=1"', 8, 2),
    ],
)
def test_nvidia_gpus_are_expected_as_docker_is_told(gpus: str, found: int | None, count: int) -> None:
    assert expected(found=found, docker=Docker(gpus=gpus)) == count


@pytest.mark.parametrize(
    ("args", "count"),
    [
        (("--device", "nvidia.com/gpu=all"), 8),
        (("--device=nvidia.com/gpu=0", "--device", "nvidia.com/gpu=3"), 2),
        (("--runtime", "nvidia", "-e", "NVIDIA_VISIBLE_DEVICES=0,1"), 2),
        (("--runtime=nvidia", "-e", "NVIDIA_VISIBLE_DEVICES=all"), 8),
        (("--runtime=nvidia", "-e", "NVIDIA_VISIBLE_DEVICES=void"), 0),
        (("--runtime=nvidia", "--env=NVIDIA_VISIBLE_DEVICES=none"), 0),
        (("--runtime=nvidia",), 8),
    ],
)
def test_gpus_that_are_given_without_docker_gpus_count_too(args: tuple[str, ...], count: int) -> None:
    assert expected(docker=Docker(gpus="none", args=args)) == count


CUDA = "CUDA_VISIBLE_DEVICES"


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("0,1,2,3", 4),
        ("0, 1", 2),
        ("", 0),
        ("-1", 0),
        ("0,-1,2", 1),
        ("0,8,1", 1),  # there is no GPU 8
        ("all", 0),
        ("NoDevFiles", 0),
        ("0,0", 1),
        ("GPU-3faa8c219-17bb", 1),
        ("MIG-3faa8c219-17bb,MIG-4711", 2),
    ],
)
def test_a_variable_that_hides_some_counts_as_cuda_reads_it(value: str, count: int) -> None:
    assert expected(env=((CUDA, value),)) == count
    assert expected(docker=Docker(args=("-e", f"{CUDA}={value}"))) == count
    assert expected(image=((CUDA, value),)) == count


def test_of_the_same_variable_the_inventorys_wins_over_the_images() -> None:
    assert expected(image=((CUDA, ""),), env=((CUDA, "0,1"),)) == 2


def test_docker_gpus_wins_over_the_variable_that_nvidias_runtime_reads() -> None:
    """Docker adds its own at the end: daemon/devices_nvidia_linux.go."""
    assert expected(env=(("NVIDIA_VISIBLE_DEVICES", "0"),)) == 8


def hidden(image: tuple[tuple[str, str], ...] = (), **changes: object) -> list[tuple[str, str]]:
    machine = node(1, **{"accelerator": Accelerator.NVIDIA, "num_gpus": None} | changes)
    return list(devices.hidden(machine, replace(bare_host(machine, gpus=4), image_env=image)))


def test_a_variable_that_hides_all_by_mistake_is_told() -> None:
    fix = f"correct {where(f'env.{CUDA}')}, or take it out"
    assert hidden(env=((CUDA, "all"),)) == [(f"{CUDA}=all hides every GPU", fix)]
    assert hidden(env=((CUDA, "0,1,-1,3"),)) == [
        (f"{CUDA}=0,1,-1,3 ends for the driver after 2 GPUs, of 4", fix)
    ]
    assert hidden(env=((CUDA, "0,1"),)) == []
    assert hidden() == []
    assert hidden(accelerator=Accelerator.ASCEND, env=(("ASCEND_RT_VISIBLE_DEVICES", ""),)) == [
        (
            "ASCEND_RT_VISIBLE_DEVICES= hides every NPU",
            f"correct {where('env.ASCEND_RT_VISIBLE_DEVICES')}, or take it out",
        )
    ]


def test_a_variable_of_the_image_is_told_as_such() -> None:
    fix = f"it is the image's; {change(f'env.{CUDA}', json.dumps('0,1,2,3'))}"
    assert hidden(image=((CUDA, ""),)) == [(f"{CUDA}= hides every GPU", fix)]


def test_a_variable_that_has_no_effect_beside_docker_gpus_is_told() -> None:
    env = (("NVIDIA_VISIBLE_DEVICES", "0,1"),)
    text = "NVIDIA_VISIBLE_DEVICES in `env` has no effect beside --gpus all"
    assert hidden(env=env) == [(text, change("docker.gpus", "'\"device=0,1\"'"))]
    assert hidden(env=env, docker=Docker(gpus="none")) == []
    assert hidden(image=(("NVIDIA_VISIBLE_DEVICES", "all"),)) == []


@pytest.mark.parametrize(
    ("accelerator", "variable"),
    [
        (Accelerator.AMD, "HIP_VISIBLE_DEVICES"),
        (Accelerator.INTEL, "ZE_AFFINITY_MASK"),
        (Accelerator.ASCEND, "ASCEND_RT_VISIBLE_DEVICES"),
        (Accelerator.GAUDI, "HABANA_VISIBLE_MODULES"),
        (Accelerator.TPU, "TPU_VISIBLE_CHIPS"),
    ],
)
def test_every_accelerator_has_a_variable_of_its_own(accelerator: Accelerator, variable: str) -> None:
    assert expected(accelerator, env=((variable, "0,1"),)) == 2
    assert expected(accelerator, env=((variable, ""),)) == 0
    assert expected(accelerator, env=((CUDA, ""),)) != 0
