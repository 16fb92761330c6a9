"""Faults of a host's Docker, and of the host under it: hanging, full, another Ray, switched off, talking nonsense."""

import pytest

from . import faults
from .lab import Lab
from .seeing import (
    containers,
    failed,
    finished,
    repaired,
    two_hosts,
)

STEERING = r"\033]0;owned\007\033[2J"
"""A terminal would take another title from it, and clear its screen."""

HANGS = "Docker does not answer"


@pytest.mark.long
def test_docker_that_hangs_is_told_by_every_command_and_holds_none_up_for_long(lab: Lab) -> None:
    faults.hang(lab.hosts["gpu1"], "docker")
    inventory = two_hosts(lab)
    up = lab.raycluster_popen("up", inventory)
    status = lab.raycluster_popen("status", inventory)
    # A cluster of its own: two runs on one would wait for each other.
    other = lab.folder / "other.yaml"
    other.write_text(inventory.read_text().replace("cluster: lab", "cluster: other"))
    down = lab.raycluster_popen("down", other)
    failed(finished(up, 35), "its head failed", f"gpu1  {HANGS}", "→ does Docker hang there?", "Nothing was")
    failed(
        finished(down, 10), "is not known to be down: 1 host", f"gpu1  {HANGS}", "→ does Docker hang there?"
    )
    seen = finished(status, 10)
    assert seen.returncode == 3
    assert "cluster lab is unknown" in seen.stdout
    assert f"gpu1: {HANGS}" in seen.stdout
    faults.resume(lab.hosts["gpu1"], "docker")
    assert "is down already" in lab.raycluster("down", inventory).stdout


def test_a_disk_that_is_full_where_docker_keeps_its_containers(lab: Lab) -> None:
    faults.fill_disk(lab.hosts["gpu2"])
    inventory = two_hosts(lab, engine="mp")
    failed(
        lab.raycluster("up", inventory),
        "1 of 2 hosts failed",
        "gpu2  start its container: docker: Error response from daemon",
        "(exit code 125)",
        "no space left on device",
        "→ free disk space where Docker keeps its data",
        "The other hosts stay as they are",
    )
    assert containers(lab) == {"raycluster-lab-gpu1": "running"}
    faults.empty_disk(lab.hosts["gpu2"])
    repaired(lab, inventory)


def test_a_worker_with_another_ray(lab: Lab) -> None:
    worker = lab.hosts["gpu2"]
    worker.docker("tag", "raylab:latest", "raylab:kept")
    worker.docker("tag", "raylab:old", "raylab:latest")
    inventory = two_hosts(lab)
    try:
        failed(
            lab.raycluster("up", inventory),
            "1 of 2 hosts failed",
            "gpu2  compare its Ray and Python with gpu1's: has Ray 2.54.0, Python 3.11.2, "
            "gpu1 has Ray 2.60.0, Python 3.11.2",
            "→ let all hosts run the same image",
        )
        assert containers(lab) == {"raycluster-lab-gpu1": "running"}
    finally:
        worker.docker("tag", "raylab:kept", "raylab:latest")
    repaired(lab, inventory)


def test_what_a_container_says_cannot_steer_the_terminal(lab: Lab) -> None:
    lab.hosts["gpu1"].variant(
        "raylab:steering", f"printf '#!/bin/sh\\nprintf \"{STEERING}\\\\n\"; exit 3\\n' >/usr/local/bin/ray"
    )
    up = lab.raycluster("up", lab.inventory(workers=[], image="raylab:steering"), "-vv")
    failed(up, r"| \x1b]0;owned\x07\x1b[2J")
    assert_harmless(up.stdout + up.stderr)
    assert_harmless(the_log(lab))


def test_what_a_hosts_docker_says_cannot_steer_the_terminal(lab: Lab) -> None:
    says = lab.hosts["gpu1"].folder / "root/says"
    says.write_text(f"#!/bin/sh\nprintf '{STEERING}' >&2\nexit 1\n")
    says.chmod(0o755)
    inventory = lab.inventory(workers=[], docker={"command": "/root/says"})
    up, status = lab.raycluster("up", inventory), lab.raycluster("status", inventory)
    failed(up, r"gpu1  \x1b]0;owned\x07\x1b[2J")
    assert r"gpu1: \x1b]0;owned" in status.stdout
    assert_harmless(up.stdout + up.stderr + status.stdout + status.stderr)
    assert_harmless(the_log(lab))


def assert_harmless(text: str) -> None:
    assert [char for char in text if not char.isprintable() and char != "\n"] == []


def the_log(lab: Lab) -> str:
    (log,) = (lab.home / ".local/state/raycluster/log").iterdir()
    text = log.read_text()
    assert "owned" in text
    return text
