"""What an edited inventory leaves behind is found on real hosts, named, and removed with consent alone."""

import pytest

from .lab import Lab
from .seeing import brought_up, containers, health, two_hosts, verdict

LEFT = "192.0.2.13  raycluster-lab-gpu3 of this cluster is there, which is not in the inventory"


@pytest.mark.long
def test_a_worker_that_left_the_inventory_is_named_and_removed_with_prune(lab: Lab) -> None:
    brought_up(lab, lab.inventory())
    inventory = two_hosts(lab)

    assert health(lab, inventory)["notes"] == ["Ray lists a node at 192.0.2.13 that is not in the inventory"]
    up = lab.raycluster("up", inventory)
    assert up.returncode == 0, up.stderr
    assert LEFT.replace("  ", ": ") in up.stderr
    assert "raycluster-lab-gpu3" in containers(lab)

    down = lab.raycluster("down", inventory, "-l", "gpu2")
    assert down.returncode == 0, down.stderr
    assert "raycluster-lab-gpu3" in containers(lab)

    up = lab.raycluster("up", inventory, "--prune")
    assert up.returncode == 0, up.stderr
    assert "192.0.2.13: raycluster-lab-gpu3 is not in the inventory" in up.stderr
    assert containers(lab) == {"raycluster-lab-gpu1": "running", "raycluster-lab-gpu2": "running"}
    assert verdict(lab, inventory) == "healthy"
    assert lab.hosts["gpu3"].run("ls", "-A", "/root").stdout == ".cache\n"

    brought_up(lab, lab.inventory())
    down = lab.raycluster("down", two_hosts(lab), "--prune")
    assert down.returncode == 0, down.stderr
    assert containers(lab) == {}


def test_a_worker_that_left_the_inventory_keeps_down_from_success(lab: Lab) -> None:
    gpu3 = lab.hosts["gpu3"].entry
    brought_up(lab, lab.inventory(workers=[gpu3]))
    down = lab.raycluster("down", lab.inventory(workers=[]))
    assert (down.returncode, down.stdout) == (1, "")
    assert LEFT in down.stderr
    assert set(containers(lab)) == {"raycluster-lab-gpu3"}
    _, remedy = down.stderr.split("→ remove it: ")
    assert lab.laptop(remedy.splitlines()[0].split()).returncode == 0
    assert containers(lab) == {}


def test_a_host_under_a_new_name_gets_no_second_container_beside_the_old(lab: Lab) -> None:
    brought_up(lab, two_hosts(lab, engine="mp"))
    renamed = two_hosts(lab, engine="mp", worker={"name": "renamed"})
    up = lab.raycluster("up", renamed)
    assert (up.returncode, up.stdout) == (1, "")
    assert "renamed  raycluster-lab-gpu2 of this cluster is there" in up.stderr
    assert set(containers(lab)) == {"raycluster-lab-gpu1", "raycluster-lab-gpu2"}
    up = lab.raycluster("up", renamed, "--prune")
    assert up.returncode == 0, up.stderr
    assert set(containers(lab)) == {"raycluster-lab-gpu1", "raycluster-lab-renamed"}


def test_a_host_is_added_and_removed_while_the_cluster_runs(lab: Lab) -> None:
    inventory = lab.inventory(workers=[lab.hosts["gpu2"].entry])
    brought_up(lab, inventory)
    text = inventory.read_text()
    add = lab.raycluster("add", "gpu3", "-i", inventory)
    assert add.returncode == 0, add.stderr
    assert f"raycluster up -i {inventory}\n" in add.stdout
    up = lab.raycluster("up", inventory)
    assert "gpu3: no container yet" in up.stderr
    assert verdict(lab, inventory) == "healthy"

    assert lab.raycluster("remove", "gpu3", "-i", inventory).returncode == 0
    assert inventory.read_text() == text
    assert lab.raycluster("up", "--prune", inventory).returncode == 0
    assert set(containers(lab)) == {"raycluster-lab-gpu1", "raycluster-lab-gpu2"}
