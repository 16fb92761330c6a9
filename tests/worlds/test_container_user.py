"""Containers whose user is not root: their token, their models, and whether what `check` says mends it."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.lab import variants, worlds
from tests.lab.lab import Lab
from tests.lab.seeing import findings, repaired, two_hosts

UID = variants.UID
FOLDER = "/root/.cache/huggingface"
TOKEN = f"/home/{worlds.USER}/.raycluster/lab/gpu1.token"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
VLLM = f"the image's user vllm ({UID})"
MODEL = f"mkdir -p {FOLDER}/hub/models--a--b"

Told = list[tuple[str, str]]


def of_gpu2(lab: Lab, inventory: Path) -> Told:
    """What `check` says of the worker's container and its folder that is not good, and the remedies.

    Each host has made its image by itself.
    """
    told = [(each["text"], each["fix"]) for each in findings(lab, inventory) if _is_of_gpu2(each)]
    return [(text, fix) for text, fix in told if not text.startswith("has image ")]


def _is_of_gpu2(each: dict[str, Any]) -> bool:
    return each["host"] == "gpu2" and each["level"] != "ok" and each["topic"] in ("hf_home", "image")


def with_image(lab: Lab, variant: variants.Variant, **changes: Any) -> Path:
    return two_hosts(lab, image=variants.make(lab, variant), **changes)


def typed(fix: str) -> str:
    """The line for a shell of the hosts that stands in a remedy, alone or among other words."""
    among = re.search(r"`((sudo|mkdir) [^`]*)`", fix)
    return among[1] if among else fix.rpartition(": ")[2]


def keeps_models(lab: Lab) -> None:
    """What the container downloads is in the host's folder, by the variables that vLLM has."""
    download = 'mkdir -p "$HF_HOME/hub/models--a--c" "${XDG_CACHE_HOME:-$HOME/.cache}/vllm"'
    lab.hosts["gpu2"].docker("exec", "raycluster-lab-gpu2", "sh", "-c", download)
    lab.hosts["gpu2"].run("ls", f"{FOLDER}/hub/models--a--c")


def test_ray_reads_its_token_as_a_user_who_is_not_root_and_nobody_else_on_the_host_does(lab: Lab) -> None:
    worlds.enter(lab, worlds.SUDO)
    gpu1 = lab.hosts["gpu1"]
    repaired(lab, with_image(lab, variants.OTHER_USER, **worlds.ORDINARY))
    assert gpu1.docker("exec", "raycluster-lab-gpu1", "id", "-u") == str(UID)
    assert gpu1.run(*NOBODY, "ls", f"/home/{worlds.USER}").returncode == 0
    assert "Permission denied" in gpu1.run(*NOBODY, "cat", TOKEN, check=False).stderr


def test_where_the_images_user_looks_for_models_nothing_is_mounted_until_it_is_told_where(lab: Lab) -> None:
    text, nothing, cannot = of_gpu2(lab, with_image(lab, variants.OTHER_USER))
    assert text[0] == f"{FOLDER} does not exist there; Docker will make it, owned by root"
    assert nothing[0] == (
        f"{VLLM} looks for models in /home/vllm/.cache/huggingface, where nothing is mounted: "
        "they would go with the container"
    )
    assert "HF_HOME: /home/vllm/huggingface" in nothing[1]
    assert cannot[0] == f"{VLLM} cannot write {FOLDER}, which Docker would make, owned by root"
    lab.on_each(lambda host: host.run("sh", "-c", typed(cannot[1])))
    mended = with_image(lab, variants.OTHER_USER, env={"HF_HOME": "/home/vllm/huggingface"})
    assert of_gpu2(lab, mended) == []
    repaired(lab, mended)
    keeps_models(lab)


@pytest.mark.parametrize("as_root", [False, True], ids=["chown", "as root"])
def test_models_that_root_has_downloaded_are_given_to_the_images_user_or_root_is_that_user(
    lab: Lab, as_root: bool
) -> None:
    lab.on_each(lambda host: host.run("sh", "-c", f"{MODEL} && chown {UID} {FOLDER} {FOLDER}/hub"))
    env = {"HF_HOME": "/home/vllm/huggingface"}
    ((text, fix),) = of_gpu2(lab, with_image(lab, variants.OTHER_USER, env=env))
    assert text == f"{VLLM} cannot write {FOLDER}/hub/models--a--b"
    assert "[--user=root]" in fix
    assert "HF_HOME" not in fix
    changes = {"docker": {"args": ["--user=root"]}} if as_root else {}
    if not as_root:
        lab.on_each(lambda host: host.run(*typed(fix).split()))
    mended = with_image(lab, variants.OTHER_USER, env=env, **changes)
    assert of_gpu2(lab, mended) == []
    repaired(lab, mended)
    keeps_models(lab)


def test_as_root_an_image_with_another_home_is_told_where_the_models_are(lab: Lab) -> None:
    lab.on_each(lambda host: host.run("mkdir", "-p", FOLDER))
    _, (text, fix) = of_gpu2(lab, with_image(lab, variants.OTHER_USER))
    assert text == f"{VLLM} cannot write {FOLDER}"
    assert typed(fix) == f"sudo chown -R {UID} {FOLDER}"
    assert "[--user=root]" in fix
    assert f"HF_HOME: {FOLDER}" in fix
    changes = {"docker": {"args": ["--user=root"]}, "env": {"HF_HOME": FOLDER}}
    mended = with_image(lab, variants.OTHER_USER, **changes)
    assert of_gpu2(lab, mended) == []
    repaired(lab, mended)
    keeps_models(lab)


def test_a_user_of_docker_args_without_a_home_gets_one_and_a_place_for_models(lab: Lab) -> None:
    lab.on_each(lambda host: host.run("sh", "-c", f"mkdir -p {FOLDER} && chown {UID} {FOLDER}"))
    args = {"docker": {"args": [f"--user={UID}"]}}
    cache, models = of_gpu2(lab, two_hosts(lab, **args))
    who = f"the user {UID} of `docker.args`"
    assert cache[0] == f"{who} cannot write /root/.cache, where vLLM keeps what it compiles"
    assert "HOME: /tmp" in cache[1]
    assert models[0] == f"{who} looks for models in {FOLDER}, and may not enter that"
    assert "HF_HOME: /huggingface" in models[1]
    mended = two_hosts(lab, **args, env={"HOME": "/tmp", "HF_HOME": "/huggingface"})
    assert of_gpu2(lab, mended) == []
    repaired(lab, mended)
    keeps_models(lab)


def test_a_home_that_docker_has_put_a_folder_of_roots_into_is_told_before_vllm_compiles(lab: Lab) -> None:
    lab.on_each(lambda host: host.run("sh", "-c", f"mkdir -p {FOLDER} && chown {UID} {FOLDER}"))
    env = {"HF_HOME": "/home/vllm/.cache/huggingface"}
    ((text, fix),) = of_gpu2(lab, with_image(lab, variants.OTHER_USER, env=env))
    assert text == f"{VLLM} cannot write /home/vllm/.cache, where vLLM keeps what it compiles"
    assert "HOME: /tmp" in fix
    assert "HF_HOME" not in fix
    mended = with_image(lab, variants.OTHER_USER, env={**env, "HOME": "/tmp"})
    assert of_gpu2(lab, mended) == []
    repaired(lab, mended)
    keeps_models(lab)


def test_a_container_that_may_write_nowhere_is_given_temporary_folders(lab: Lab) -> None:
    lab.on_each(lambda host: host.run("mkdir", "-p", FOLDER))
    (nowhere, fix), (cache, home) = of_gpu2(lab, two_hosts(lab, docker={"args": ["--read-only"]}))
    assert nowhere == "its container cannot write /tmp and /var/tmp, as Ray and vLLM have to"
    assert "[--tmpfs=/tmp:exec, --tmpfs=/var/tmp]" in fix
    assert cache == "the image's user root (0) cannot write /root/.cache, where vLLM keeps what it compiles"
    assert "HOME: /tmp" in home
    assert "HF_HOME: /root/.cache/huggingface" in home
    args = ["--read-only", "--tmpfs=/tmp:exec", "--tmpfs=/var/tmp"]
    env = {"HOME": "/tmp", "HF_HOME": "/root/.cache/huggingface"}
    mended = two_hosts(lab, docker={"args": args}, env=env)
    assert of_gpu2(lab, mended) == []
    repaired(lab, mended)
    keeps_models(lab)
