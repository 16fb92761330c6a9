"""Faults that befall a cluster which stands. Ray's comes up once: each test leaves it whole again, or it is mended."""

import pytest

from .lab import Lab
from .seeing import brought_up, failed, health, repaired, two_hosts, verdict, watched


def test_a_worker_that_cannot_be_reached(lab: Lab) -> None:
    inventory = brought_up(lab, two_hosts(lab, engine="mp"))
    lab.hosts["gpu2"].stop_ssh()
    failed(
        lab.raycluster("up", inventory),
        "gpu2  192.0.2.12:22 refuses connections",
        "→ is sshd running there",
    )
    told = health(lab, inventory)
    assert (told["verdict"], told["hosts"]["gpu2"]["verdict"]) == ("degraded", "unknown")
    failed(lab.raycluster("down", inventory), "cluster lab is not known to be down", "gpu2  192.0.2.12:22")
    lab.hosts["gpu2"].start_ssh()
    repaired(lab, inventory)


def test_docker_stopped_on_one_host(lab: Lab) -> None:
    inventory = brought_up(lab, two_hosts(lab, engine="mp"))
    lab.hosts["gpu2"].stop_docker()
    told = health(lab, inventory)["hosts"]["gpu2"]
    assert told["verdict"] == "unknown"
    assert "Cannot connect to the Docker daemon" in told["trouble"]
    assert told["fix"] == "on gpu2: sudo systemctl start docker"
    failed(lab.raycluster("up", inventory), "gpu2  Cannot connect to the Docker daemon")
    failed(lab.raycluster("down", inventory), "gpu2  Cannot connect to the Docker daemon")
    lab.hosts["gpu2"].start_docker()
    repaired(lab, inventory)


@pytest.mark.parametrize("victim", ["gpu1", "gpu2"])
def test_a_killed_container_is_told_with_its_exit_code_and_replaced(cluster: Lab, victim: str) -> None:
    inventory = two_hosts(cluster)
    cluster.hosts[victim].docker("kill", f"raycluster-lab-{victim}")
    status = cluster.raycluster("status", inventory)
    assert status.returncode == 3
    assert f"{victim}: its container exited with code 137, " in status.stdout
    up = cluster.raycluster("up", inventory)
    assert up.returncode == 0, up.stderr
    assert f"{victim}: its container exited with code 137" in up.stderr
    assert verdict(cluster, inventory) == "healthy"


def test_ray_stopped_inside_a_container_that_stays_up(cluster: Lab) -> None:
    inventory = two_hosts(cluster)
    # Within its usual 10 s a busy machine may not end Ray; killed, it would take the container along.
    cluster.hosts["gpu2"].docker("exec", "raycluster-lab-gpu2", "ray", "stop", "--grace-period", "60")
    told = health(cluster, inventory)["hosts"]["gpu2"]
    assert (told["container"], told["ray"], told["joined"]) == ("running", False, False)
    up = cluster.raycluster("up", inventory)
    assert up.returncode == 0, up.stderr
    assert "gpu2: its container runs, but no Ray runs in it" in up.stderr


def test_a_cable_cut_during_status_holds_nobody_up(cluster: Lab) -> None:
    inventory = two_hosts(cluster, ssh={"connect_timeout": 3})
    cluster.hosts["gpu2"].cut()
    told = health(cluster, inventory)
    assert told["verdict"] == "degraded"
    assert told["hosts"]["gpu1"]["verdict"] == "healthy"
    assert told["hosts"]["gpu2"]["trouble"] == "192.0.2.12:22 does not answer"
    cluster.hosts["gpu2"].mend()


def test_a_worker_cut_off_by_a_firewall_later_is_not_healthy(cluster: Lab) -> None:
    inventory, gpu2 = two_hosts(cluster), cluster.hosts["gpu2"]
    drop = ("INPUT", "-p", "tcp", "--syn", "-s", "192.0.2.11", "-j", "DROP")
    gpu2.run("iptables", "-I", *drop)
    try:
        assert verdict(cluster, inventory) == "degraded"
        up = cluster.raycluster("up", inventory)
        assert up.returncode == 1
        assert "gpu2  Ray lists it, but the head cannot reach it" in up.stderr
    finally:
        gpu2.run("iptables", "-D", *drop)
    assert verdict(cluster, inventory) == "healthy"


@pytest.mark.long
def test_hosts_that_are_switched_off_and_on_again(cluster: Lab) -> None:
    inventory = two_hosts(cluster)
    cluster.hosts["gpu2"].reboot()
    told = health(cluster, inventory)
    assert (told["verdict"], told["hosts"]["gpu2"]["joined"]) == ("degraded", False)
    assert told["hosts"]["gpu1"]["verdict"] == "healthy"
    with watched(cluster, inventory) as until:  # the worker comes back without the laptop
        until("healthy", 60)
    assert verdict(cluster, inventory) == "healthy"

    cluster.hosts["gpu1"].reboot()
    told = health(cluster, inventory)
    # The head may be asked before Ray answers there, or after its own node is back; its worker has to begin anew.
    assert told["verdict"] == "degraded"
    assert not told["hosts"]["gpu2"]["joined"]
    repaired(cluster, inventory)


@pytest.mark.long
def test_a_head_whose_process_is_killed_heals_without_the_laptop(cluster: Lab) -> None:
    inventory = two_hosts(cluster)
    before = health(cluster, inventory)["hosts"]["gpu1"]["restarts"]
    with watched(cluster, inventory) as until:
        until("healthy", 30)
        cluster.hosts["gpu1"].run("pkill", "-KILL", "-x", "gcs_server")
        until("degraded", 30)
        assert verdict(cluster, inventory) != "healthy"
        until("healthy", 150)
    told = health(cluster, inventory)
    assert (told["verdict"], told["hosts"]["gpu1"]["restarts"], told["notes"]) == ("healthy", before + 1, [])


def test_an_image_whose_ray_has_no_dashboard(cluster: Lab) -> None:
    dashboard = cluster.raycluster("dashboard", two_hosts(cluster))
    metrics = cluster.raycluster("metrics", two_hosts(cluster))
    for each in (dashboard, metrics):
        assert (each.returncode, each.stdout) == (1, "")
        assert "install: 'ray[default]==2.60.0'" in each.stderr
    assert "Ray's dashboard is not there: nothing answers at 127.0.0.1:8265" in dashboard.stderr
    assert "✗ gpu1, gpu2  its Ray exports no metrics" in metrics.stderr
