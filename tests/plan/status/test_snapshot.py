"""What hosts tell while they are watched, as their tools write it."""

import json

import pytest

from orchestrator.plan.status.snapshot import Gpu, changes_container, read_gpus

H100 = "0, 97, 71834, 81559, 64, 612.41"


def test_a_gpu_is_read_from_its_line() -> None:
    assert read_gpus([H100]) == (
        Gpu(index=0, use=97, memory_used=71834, memory_total=81559, temperature=64, power=612.41),
    )


def test_what_a_gpu_does_not_tell_is_unknown() -> None:
    """A GH200, and a GPU that is split into MIGs."""
    assert read_gpus(["1, [N/A], 71834, 81559, 41, [Not Supported]"]) == (
        Gpu(1, None, 71834, 81559, 41, None),
    )


@pytest.mark.parametrize(
    "words",
    [
        "Unable to determine the device handle for GPU0000:41:00.0: Unknown Error",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest",
    ],
)
def test_a_failure_of_nvidia_smi_is_kept_in_its_own_words(words: str) -> None:
    assert read_gpus([words]) == words
    assert read_gpus([H100, words]) == f"{H100} {words}"


@pytest.mark.parametrize(
    ("told", "changes"),
    [
        ({"status": "die", "Type": "container", "Action": "die"}, True),
        ({"Type": "container", "Action": "start"}, True),
        ({"Name": "raycluster-demo-gpu1", "Status": "died", "Type": "container"}, True),
        ({"Type": "container", "Action": "exec_create: bash -c nvidia-smi"}, False),
        ({"Type": "container", "Action": "top"}, False),
    ],
)
def test_a_containers_coming_and_going_is_told_from_a_look_into_it(
    told: dict[str, str], changes: bool
) -> None:
    assert changes_container(json.dumps(told)) is changes


@pytest.mark.parametrize("line", ["", "Welcome to gpu1!", "[]", "7", "null"])
def test_any_other_line_changes_nothing(line: str) -> None:
    assert not changes_container(line)
