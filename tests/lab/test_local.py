"""`host: local`: raycluster on the head itself, and the same cluster from the laptop."""

from typing import Any

import pytest

from .host import Host
from .lab import Lab
from .seeing import containers, has_started, ids


@pytest.fixture
def gpu1(lab: Lab) -> Host:
    """The head, from which one reaches the other hosts."""
    host = lab.hosts["gpu1"]
    if not host.has_program:  # the lab was brought up from another checkout, or by another Python
        host.reboot()
    lab.desk.furnish_ssh(host.folder / "root/.ssh", lab.hosts.values())
    return host


def inventory_on(host: Host, lab: Lab, **changes: Any) -> None:
    """The lab's inventory in the host's home, where it itself is `local`."""
    text = lab.inventory_text(head={**host.entry, "host": "local", "name": host.name}, **changes)
    (host.folder / "root/inventory.yaml").write_text(text)


@pytest.mark.long
def test_a_cluster_from_its_head_is_the_same_from_the_laptop(lab: Lab, gpu1: Host) -> None:
    inventory_on(gpu1, lab)
    up = gpu1.raycluster("up")
    assert up.returncode == 0, up.stderr
    assert "cluster lab is up: Ray 2.60.0 lists all 3 hosts, 24 GPUs" in up.stdout
    assert "\n  raycluster serve MODEL\n" in up.stdout
    before = ids(lab)

    check = gpu1.raycluster("check")
    assert check.returncode == 0, check.stdout
    assert "✓ ssh        gpu1  local, no SSH needed\n" in check.stdout
    assert gpu1.raycluster("status").returncode == 0

    there = lab.raycluster("up", lab.inventory())
    assert (there.returncode, there.stderr) == (0, "")
    assert "is up already, nothing to do: Ray 2.60.0 lists all 3 hosts, 24 GPUs" in there.stdout
    assert ids(lab) == before

    down = gpu1.raycluster("down")
    assert down.returncode == 0, down.stderr
    assert containers(lab) == {}
    assert sorted(gpu1.run("ls", "-A", "/root").stdout.split()) == [
        ".cache",
        ".local",
        ".ssh",
        "inventory.yaml",
    ]


def test_a_run_on_the_head_and_one_from_the_laptop_exclude_each_other(lab: Lab, gpu1: Host) -> None:
    gpu2 = [lab.hosts["gpu2"].entry]
    inventory_on(gpu1, lab, workers=gpu2)
    up = lab.raycluster_popen("up", lab.inventory(workers=gpu2))
    has_started(lab.hosts["gpu1"])
    here = gpu1.raycluster("up")
    assert (here.returncode, here.stdout) == (4, "")
    assert "cluster lab is locked: root@laptop has run `raycluster up` for" in here.stderr
    assert up.wait(timeout=120) == 0


def test_with_a_worker_down_the_rest_is_seen_and_reached_from_the_head(lab: Lab, gpu1: Host) -> None:
    inventory_on(gpu1, lab, engine="mp", ssh={"connect_timeout": 2})
    assert gpu1.raycluster("up").returncode == 0
    gpu1.docker("exec", "raycluster-lab-gpu1", "sh", "-c", "echo a word >/proc/1/fd/1")
    lab.hosts["gpu3"].cut()
    status = gpu1.raycluster("status")
    assert status.returncode == 3
    assert "gpu3: 192.0.2.13:22 " in status.stdout
    for words, from_gpu1 in (
        (("exec", "--", "hostname"), "==> gpu1 <==\ngpu1\n"),
        (("logs", "-n", "1"), "gpu1 | a word\n"),
    ):
        ran = gpu1.raycluster(*words)
        assert from_gpu1 in ran.stdout
        assert "✗ gpu3  192.0.2.13:22 " in ran.stderr
    alone = gpu1.raycluster("exec", "-l", "gpu1", "--", "cat", "/proc/sys/kernel/hostname")
    assert (alone.returncode, alone.stdout, alone.stderr) == (0, "gpu1\n", "")
