"""Two clusters on the same hosts, and a firewall between hosts, on real hosts."""

from pathlib import Path

import pytest

from .lab import Lab
from .seeing import brought_up, containers, two_hosts, verdict


def another(lab: Lab, name: str, port: int) -> Path:
    """A second inventory of the same hosts, in a file of its own."""
    two_hosts(lab, cluster=name, ray={"port": port, "ports": "pinned"}).rename(lab.folder / f"{name}.yaml")
    return lab.folder / f"{name}.yaml"


@pytest.mark.long
def test_two_clusters_share_hosts_and_the_end_of_one_leaves_the_other_healthy(lab: Lab) -> None:
    one = brought_up(lab, another(lab, "one", 6379))
    two = brought_up(lab, another(lab, "two", 7379))
    assert (verdict(lab, one), verdict(lab, two)) == ("healthy", "healthy")

    listening = lab.hosts["gpu1"].run("ss", "-Hltn").stdout.split()
    ports = {int(each.rpartition(":")[2]) for each in listening if each.rpartition(":")[2].isdecimal()}
    assert {6379, 6380, 6381, 7379, 7380, 7381} <= ports
    assert not any(32768 <= port < 61000 for port in ports)

    assert lab.raycluster("down", one).returncode == 0
    assert set(containers(lab)) == {"raycluster-two-gpu1", "raycluster-two-gpu2"}
    assert verdict(lab, two) == "healthy"


@pytest.mark.long
def test_two_heads_have_a_port_of_ray_clients_each(lab: Lab) -> None:
    """Both would listen on 10001 without a word, and a client would reach either."""
    for name, port in (("one", 6379), ("two", 6390)):
        written = another(lab, name, port).read_text()
        inventory = lab.folder / f"{name}.yaml"
        inventory.write_text(written.replace("raylab:latest", "raylab:dashboard"))
        brought_up(lab, inventory)
    listening = lab.hosts["gpu1"].run("ss", "-Hltn").stdout
    assert ":6389 " in listening
    assert ":6400 " in listening
    assert ":10001 " not in listening


def test_a_port_of_another_cluster_is_held_and_said_to_be(lab: Lab) -> None:
    brought_up(lab, another(lab, "one", 6379))
    up = lab.raycluster("up", another(lab, "two", 6380))
    assert up.returncode == 1
    assert "gpu1  port 638" in up.stderr
    assert ", is held by cluster one's head (container raycluster-one-gpu1)" in up.stderr
    assert (
        "→ take cluster one down, with its own inventory (`raycluster ls` lists those used here), or"
        in up.stderr
    )
    wrong = lab.raycluster("down", another(lab, "two", 6380))
    assert wrong.stdout.endswith("has a container of it; cluster one runs on gpu1, gpu2\n")
    assert "choose another `ray.port`" in up.stderr


def test_a_worker_that_the_head_cannot_reach_never_counts_as_joined(lab: Lab) -> None:
    inventory, gpu2 = two_hosts(lab), lab.hosts["gpu2"]
    drop = ("INPUT", "-p", "tcp", "--syn", "-s", "192.0.2.11", "-j", "DROP")
    gpu2.run("iptables", "-I", *drop)
    try:
        up = lab.raycluster("up", inventory)
    finally:
        gpu2.run("iptables", "-D", *drop)
    assert (up.returncode, up.stdout) == (1, "")
    assert (
        "gpu2  wait until Ray lists it: Ray lists it, but the head cannot reach it at 192.0.2.12:"
        in up.stderr
    )
    assert "→ let the hosts reach each other at Ray's ports: `raycluster check -i " in up.stderr
    assert set(containers(lab)) == {"raycluster-lab-gpu1"}
    brought_up(lab, inventory)
