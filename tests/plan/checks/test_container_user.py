"""Whom a container runs as, and what that user is kept from."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.model.cluster import Cluster, Docker
from orchestrator.plan.checks.container_user import check_user
from orchestrator.plan.facts.probe import Mounted, User
from orchestrator.plan.typed import add, change, there, where
from tests.plan.checks.samples import ALONE, MODELS, Told, brief, folder, head, machine, trial
from tests.plan.worlds import bare_host

VLLM = User(2000, "vllm", "/home/vllm")
WHO = "the image's user vllm (2000)"
HUB = "/home/vllm/.cache/huggingface"
LOOKS_THERE: dict[str, Any] = {"home": HUB, "hub": f"{HUB}/hub", "mount": Mounted.NOTHING, "entered": False}


def bad(
    of: Cluster = ALONE,
    user: User = VLLM,
    read_only: tuple[str, ...] = (),
    exists: bool = True,
    **models: Any,
) -> Told:
    told = trial(user=user, read_only=read_only, models=replace(MODELS, **models))
    here = bare_host(of.head, machine=machine(hf_home=folder(path="/hf", exists=exists)))
    return [(level, text, fix) for _, level, text, fix in brief(check_user(of.head, here, told))]


def test_a_user_who_is_kept_from_nothing() -> None:
    assert bad() == []
    assert bad(user=User(0, "root", "/root")) == []


def test_where_nothing_is_mounted_the_user_is_told_to_look_where_docker_makes_no_folder_in_its_cache() -> (
    None
):
    text = f"{WHO} looks for models in {HUB}, where nothing is mounted: they would go with the container"
    fix = change("env.HF_HOME", "/home/vllm/huggingface")
    assert bad(**LOOKS_THERE) == [("warning", text, fix)]


def test_a_folder_for_models_that_the_image_itself_names_is_named_and_set() -> None:
    ((_, text, fix),) = bad(hub="/models", mount=Mounted.NOTHING)
    assert "looks for models in /models, where" in text
    wanted = {"HF_HOME": "/root/.cache/huggingface", "HF_HUB_CACHE": "/root/.cache/huggingface/hub"}
    assert fix == "; ".join(change(f"env.{name}", value) for name, value in wanted.items())


def test_who_may_not_come_to_the_models_is_told_where_to_look() -> None:
    ((_, text, fix),) = bad(entered=False)
    assert text == f"{WHO} looks for models in /root/.cache/huggingface, and may not enter that"
    assert fix == change("env.HF_HOME", "/home/vllm/huggingface")


@pytest.mark.parametrize(
    ("unusable", "readable", "told"),
    [
        (".", True, "cannot write /hf"),
        ("hub/models--a--b", True, "cannot write /hf/hub/models--a--b"),
        ("hub", False, "cannot read /hf/hub"),
    ],
)
def test_a_folder_that_the_user_cannot_use_is_given_to_it_or_the_user_is_root(
    unusable: str, readable: bool, told: str
) -> None:
    root = add("docker.args", "--user=root") + "; " + change("env.HF_HOME", "/root/.cache/huggingface")
    wanted = [("warning", f"{WHO} {told}", f"{there('sudo chown -R 2000 /hf')}; or {root}")]
    assert bad(unusable=unusable, readable=readable) == wanted


def test_a_user_of_docker_args_is_said_to_be_one_and_changed_there() -> None:
    of = head(docker=Docker(args=("--user", "2000")), env=(("HF_HOME", "/models"),))
    ((_, text, fix),) = bad(of, User(2000, "", "/"), home="/models", hub="/models/hub", unusable=".")
    assert text == "the user 2000 of `docker.args` cannot write /hf"
    assert fix == f"{there('sudo chown -R 2000 /hf')}; or let --user in `docker.args` be root"


@pytest.mark.parametrize(
    ("user", "fixed"), [(User(0, "root", "/root"), False), (User(0, "root", "/root"), True), (VLLM, True)]
)
def test_a_folder_that_root_cannot_write_either(user: User, fixed: bool) -> None:
    wanted = f"let root write there (NFS: no_root_squash), or set {where('hf_home')} to another folder"
    assert bad(user=user, fixed=fixed, unusable=".") == [
        ("warning", "/hf cannot be written by containers", wanted)
    ]


@pytest.mark.parametrize(("user", "told"), [(VLLM, True), (User(0, "root", "/root"), False)])
def test_a_folder_that_docker_would_make_is_roots(user: User, told: bool) -> None:
    text = f"{WHO} cannot write /hf, which Docker would make, owned by root"
    wanted = [("warning", text, there("mkdir -p /hf && sudo chown 2000 /hf"))] if told else []
    assert bad(user=user, exists=False, given=False) == wanted


def test_a_mount_of_the_inventorys_own_is_judged_where_it_comes_from_and_may_be_read_only() -> None:
    of = head(docker=Docker(args=("-v", "/data:/models")))
    own: dict[str, Any] = {"home": "/models", "hub": "/models/hub", "mount": Mounted.OTHER, "unusable": "."}
    ((_, text, fix),) = bad(of, **own)
    assert text == f"{WHO} cannot write /data"
    assert fix == f"{there('sudo chown -R 2000 /data')}; or {add('docker.args', '--user=root')}"
    assert bad(of, **own, fixed=True) == []
    assert bad(of, **own, entered=False)[0][1] == text


def test_a_container_that_cannot_write_its_temporary_folders() -> None:
    of = head(docker=Docker(args=("--read-only",)))
    ((level, text, fix),) = bad(of, read_only=("/tmp", "/var/tmp"))
    assert (level, text) == (
        "failure",
        "its container cannot write /tmp and /var/tmp, as Ray and vLLM have to",
    )
    assert fix == add("docker.args", "--tmpfs=/tmp:exec", "--tmpfs=/var/tmp")


@pytest.mark.parametrize(
    ("cache", "variables"),
    [
        ("/home/vllm/.cache", {"HOME": "/tmp", "HF_HOME": "/root/.cache/huggingface"}),
        ("/cache", {"XDG_CACHE_HOME": "/tmp/.cache", "HF_HOME": "/root/.cache/huggingface"}),
    ],
)
def test_a_cache_that_its_user_cannot_write_is_moved_and_the_models_are_not(
    cache: str, variables: dict[str, str]
) -> None:
    fix = "; ".join(change(f"env.{name}", value) for name, value in variables.items())
    text = f"{WHO} cannot write {cache}, where vLLM keeps what it compiles"
    assert bad(read_only=(cache,)) == [("warning", text, fix)]
