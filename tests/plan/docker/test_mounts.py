"""Where a container has the folder for Hugging Face, and what the inventory's own arguments mount."""

import pytest

from orchestrator.model.cluster import HF_HOME, Docker, Node
from orchestrator.plan.docker.mounts import Mount, hf_home_target, mounted_at, own_mounts
from tests.plan.worlds import node


def told(hf_home: str, *args: str) -> Node:
    return node(1, env=(("HF_HOME", hf_home),) if hf_home else (), docker=Docker(args=args))


@pytest.mark.parametrize(
    ("hf_home", "args", "target"),
    [
        ("", (), HF_HOME),
        ("/home/vllm/huggingface", (), "/home/vllm/huggingface"),
        ("/models", ("-v", "/data:/modelsets"), "/models"),
        ("/models", ("-v", "/data:/models/hub"), "/models"),
        ("/models/hf", ("-v", "/data:/models"), HF_HOME),
        ("/models", ("--mount=type=bind,src=/data,dst=/models",), HF_HOME),
        ("/models", ("--tmpfs", "/models:size=1g"), HF_HOME),
        ("~/hf", (), HF_HOME),
        ("$HOME/hf", (), HF_HOME),
        ("/a:/b", (), HF_HOME),
        ("/", (), HF_HOME),
    ],
)
def test_it_is_where_the_nodes_environment_says_unless_something_else_is_mounted_there(
    hf_home: str, args: tuple[str, ...], target: str
) -> None:
    assert hf_home_target(told(hf_home, *args)) == target


@pytest.mark.parametrize(
    ("args", "mount"),
    [
        (("-v", "/data:/models:ro"), Mount("/data", "/models")),
        (("-v/data:/models",), Mount("/data", "/models")),
        (("--volume=/data:/models",), Mount("/data", "/models")),
        (("--volume", "cache:/models"), Mount("", "/models")),
        (("-v", "/models"), Mount("", "/models")),
        (("--mount", "type=bind,source=/data,target=/models,readonly"), Mount("/data", "/models")),
        (("--mount", "type=volume,destination=/models"), Mount("", "/models")),
        (("--tmpfs=/models",), Mount("", "/models")),
    ],
)
def test_every_way_in_which_docker_is_told_of_a_mount(args: tuple[str, ...], mount: Mount) -> None:
    assert own_mounts(told("", *args, "--ipc=host", "-v")) == (mount,)


def test_the_deepest_mount_above_a_folder_is_the_one_it_is_on() -> None:
    of = told("", "-v", "/a:/models", "-v", "/b:/models/hub", "-v", "/c:/models/hub/x")
    assert mounted_at(of, "/models/hub") == Mount("/b", "/models/hub")
    assert mounted_at(of, "/elsewhere") is None
