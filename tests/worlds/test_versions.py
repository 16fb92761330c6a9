"""Hosts whose images have Ray of several versions: each lives alone, and they are not joined."""

from pathlib import Path

import pytest

from tests.lab import variants
from tests.lab.lab import Lab
from tests.lab.seeing import containers, failed, repaired, two_hosts, verdict

MIXED = "raylab:mixed"
REFUSING = "2.54.1"
"""The last that lists a worker of another version before it refuses it."""


def mixed(lab: Lab, head: str, worker: str) -> Path:
    """An inventory whose one image is another on each host."""
    for name, version in (("gpu1", head), ("gpu2", worker)):
        lab.hosts[name].docker("tag", variants.make(lab, variants.of_ray(version), name), MIXED)
    return two_hosts(lab, image=MIXED, docker={"pull": "never"})


@pytest.mark.parametrize(("head", "worker"), [("2.54.1", "2.52.1"), ("2.44.1", "2.54.1")])
def test_a_worker_of_another_ray_is_refused_by_name_before_it_starts(
    lab: Lab, head: str, worker: str
) -> None:
    inventory = mixed(lab, head, worker)
    failed(
        lab.raycluster("up", inventory, timeout=300),
        f"gpu2  compare its Ray and Python with gpu1's: has Ray {worker}, Python 3.11.2, gpu1 has Ray {head}",
        "→ let all hosts run the same image",
    )
    assert containers(lab) == {"raycluster-lab-gpu1": "running"}
    mixed(lab, head, head)
    repaired(lab, inventory)


def test_a_ray_that_tells_ports_of_agents_it_has_not_is_no_target_and_no_crash(lab: Lab) -> None:
    image = variants.make(lab, variants.of_ray("2.44.1"), "gpu1", "gpu2")
    inventory = two_hosts(lab, image=image)
    repaired(lab, inventory)
    metrics = lab.raycluster("metrics", inventory)
    assert (metrics.returncode, metrics.stdout) == (1, ""), metrics.stdout
    assert "nothing exports its metrics at 192.0.2.12:" in metrics.stderr
    dashboard = lab.raycluster("dashboard", inventory, "--no-open")
    assert dashboard.returncode == 1
    for answer in (metrics, dashboard):
        assert "ray[default]==2.44.1" in answer.stderr, answer.stderr


def test_a_worker_that_ray_lists_and_then_refuses_has_not_joined(lab: Lab) -> None:
    """Its image is the head's, so that nobody compares it, but its files say another version."""
    image = variants.make(lab, variants.of_ray(REFUSING), "gpu1", "gpu2")
    other = lab.hosts["gpu2"].folder / "tmp/_version.py"
    place = "/usr/local/lib/python3.11/dist-packages/ray/_version.py"
    version = lab.hosts["gpu2"].docker("run", "--rm", image, "cat", place)
    other.write_text(version.replace(REFUSING, "2.54.0"))
    mounted = {"docker": {"args": ["-v", f"/tmp/_version.py:{place}:ro"]}}
    failed(
        lab.raycluster("up", two_hosts(lab, image=image, worker=mounted), timeout=300),
        "gpu2  wait until Ray lists it",
        "Version mismatch",
        "→ let all hosts run the same image",
    )
    inventory = two_hosts(lab, image=image)
    repaired(lab, inventory)
    assert verdict(lab, inventory) == "healthy"
