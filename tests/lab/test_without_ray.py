"""Images without Ray on real hosts: Ray is added there, or on the head for hosts that have no way out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from . import bare
from .host import Host
from .image import RAY
from .lab import Lab
from .seeing import Answer, containers, failed, verdict

NO_WAY_OUT = ("OUTPUT", "-p", "tcp", "--dport", str(bare.PORT), "-j", "REJECT")


class Up(NamedTuple):
    lab: Lab
    answer: Answer


@contextmanager
def cut_off(host: Host) -> Iterator[None]:
    """The host reaches the others, but not the packages."""
    host.run("iptables", "-I", *NO_WAY_OUT)
    try:
        yield
    finally:
        host.run("iptables", "-D", *NO_WAY_OUT)


def inventory(lab: Lab, image: Any = bare.TAG, install: str = RAY, **changes: Any) -> Any:
    return lab.inventory(image=image, ray={"install": install}, **changes)


def images(lab: Lab, *names: str) -> dict[str, str]:
    """The ID of the image that the container of each host runs, or of those hosts."""
    shown = ("container", "inspect", "--format", "{{.Image}}")
    return {name: lab.hosts[name].docker(*shown, f"raycluster-lab-{name}") for name in names or lab.hosts}


@pytest.fixture(scope="module")
def lab_with_packages(standing_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = standing_lab.at(tmp_path_factory.mktemp("bare"))
    bare.bring(lab)
    bare.serve(lab)
    with cut_off(lab.hosts["gpu2"]):
        yield lab
    lab.restore()
    bare.forget(lab)


@pytest.fixture(scope="module")
def up(lab_with_packages: Lab) -> Up:
    """A cluster whose hosts were to add Ray, each for itself, and gpu2 could not."""
    lab = lab_with_packages
    return Up(lab, lab.raycluster("up", inventory(lab), timeout=400))  # each host builds an image


def test_where_the_head_cannot_add_ray_nothing_is_started_and_pip_is_quoted(lab_with_packages: Lab) -> None:
    lab = lab_with_packages
    failed(
        lab.raycluster("up", inventory(lab, install="ray==9.9.9")),
        "cluster lab is not up: ",
        "add ray==9.9.9 to the image: ERROR: ",
        "(exit code 1)\n",
        "ERROR: No matching distribution found for ray==9.9.9",
        "→ check `ray.install` (",
        ", and that this host reaches a package index",
        "Nothing was started.",
    )
    assert containers(lab) == {}


def test_each_host_adds_ray_and_one_without_a_way_out_is_told_of_get_on_head(up: Up) -> None:
    failed(
        up.answer,
        "cluster lab is not complete: 1 of 3 hosts failed",
        f"gpu3: add {RAY} to the image: ok",
        f"gpu2  add {RAY} to the image: ERROR: ",
        " (exit code 1)\n",
        f"| ERROR: No matching distribution found for {RAY}",
        "where only the head does: `image: {from: …, get_on: head}`",
    )
    assert set(containers(up.lab)) == {"raycluster-lab-gpu1", "raycluster-lab-gpu3"}


def test_images_that_hosts_have_built_alike_are_no_fault_and_need_no_change(up: Up) -> None:
    lab = up.lab
    both, run = inventory(lab, workers=[lab.hosts["gpu3"].entry]), images(lab, "gpu1", "gpu3")
    assert run["gpu1"] != run["gpu3"]
    check = lab.raycluster("check", both)
    assert check.returncode == 0, check.stdout
    assert "! image" not in check.stdout
    assert "is up already, nothing to do" in lab.raycluster("up", both).stdout


def test_built_on_the_head_all_hosts_run_the_very_same_image(up: Up) -> None:
    """As the remedy has it: the host without a way out gets the head's image, and so does the other."""
    lab, before = up.lab, images(up.lab, "gpu1")
    on_head = inventory(lab, image={"from": bare.TAG, "get_on": "head"})
    again = lab.raycluster("up", on_head)
    assert again.returncode == 0, again.stderr
    assert "gpu3: gpu1 has built another image" in again.stderr
    assert f"add {RAY}" not in again.stderr
    assert set(images(lab).values()) == set(before.values())
    assert verdict(lab, on_head) == "healthy"
    assert "is up already, nothing to do" in lab.raycluster("up", on_head).stdout


def test_a_tag_that_was_moved_leads_to_a_new_image(up: Up) -> None:
    lab, on_head = up.lab, inventory(up.lab, image={"from": bare.TAG, "get_on": "head"})
    old = lab.hosts["gpu1"].docker("images", "--quiet", bare.TAG)
    with retagged(lab.hosts["gpu1"]):
        plan = lab.raycluster("up", on_head, "--dry-run").stdout
    assert f"gpu1  {bare.TAG} is another image on this host now" in plan
    assert f"gpu1  add {RAY} to the image" in plan
    assert "gpu3  load raycluster-ray:" in plan
    assert lab.hosts["gpu1"].docker("images", "--quiet", bare.TAG) == old


@contextmanager
def retagged(host: Host) -> Iterator[None]:
    """The image's tag is on another image."""
    host.docker("tag", bare.TAG, "raylab:kept")
    host.docker("tag", "raylab:latest", bare.TAG)
    try:
        yield
    finally:
        host.docker("tag", "raylab:kept", bare.TAG)
        host.docker("rmi", "raylab:kept")
