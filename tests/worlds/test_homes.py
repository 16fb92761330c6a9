"""One home for all hosts, as by NFS: what is kept there belongs to one host and one cluster."""

from pathlib import Path

import pytest

from tests.lab.lab import Lab
from tests.lab.seeing import brought_up, containers, has_started, verdict
from tests.lab.worlds import SHARED_HOME

pytestmark = [
    pytest.mark.parametrize("world", [SHARED_HOME], ids=str, indirect=True),
    pytest.mark.usefixtures("world"),
]


def cluster(lab: Lab, name: str, head: str, worker: str, port: int = 6379, file: str = "") -> Path:
    """An inventory of two hosts, in a file of its own."""
    hosts = {"head": lab.hosts[head].entry, "workers": [lab.hosts[worker].entry]}
    written = lab.inventory(cluster=name, ray={"port": port, "ports": "pinned"}, **hosts)
    return written.rename(lab.folder / f"{file or name}.yaml")


def test_tokens_of_two_hosts_and_two_clusters_stand_side_by_side(lab: Lab) -> None:
    kept = lab.hosts["gpu1"].folder / "root/.raycluster"
    one = brought_up(lab, cluster(lab, "one", "gpu1", "gpu2"))
    two = brought_up(lab, cluster(lab, "two", "gpu2", "gpu1", port=7379))
    assert {str(each.relative_to(kept)) for each in kept.rglob("*.token")} == {
        f"{name}/{host}.token" for name in ("one", "two") for host in ("gpu1", "gpu2")
    }
    assert (verdict(lab, one), verdict(lab, two)) == ("healthy", "healthy")
    assert lab.raycluster("down", one).returncode == 0
    assert verdict(lab, two) == "healthy"
    assert [each.name for each in kept.iterdir()] == ["two"]
    assert lab.raycluster("down", two).returncode == 0
    assert not kept.exists()


def test_a_cluster_of_the_same_name_with_another_head_has_another_lock(lab: Lab) -> None:
    first = lab.raycluster_popen("up", cluster(lab, "lab", "gpu1", "gpu2", file="first"))
    has_started(lab.hosts["gpu1"])
    other = lab.inventory(engine="mp", head=lab.hosts["gpu3"].entry, workers=[])
    free = lab.raycluster("lock", "status", other)
    assert (free.returncode, free.stdout) == (0, "cluster lab is not locked\n")
    up = lab.raycluster("up", other)
    assert up.returncode == 0, up.stderr
    assert first.wait(timeout=120) == 0
    assert len(containers(lab)) == 3
