"""A cluster's life on real hosts: up, seen, changed, down."""

import pytest

from .lab import Lab
from .seeing import brought_up, containers, health, ids, two_hosts, verdict

ALL = {"raycluster-lab-gpu1": "running", "raycluster-lab-gpu2": "running", "raycluster-lab-gpu3": "running"}


FACTS = {
    "container": "running",
    "ray": True,
    "joined": True,
    "gpus": 8,
    "gpus_expected": 8,
    "restarts": 0,
}


def test_up_again_status_down_and_down_again(lab: Lab) -> None:
    inventory = lab.inventory()

    up = lab.raycluster("up", inventory)
    assert up.returncode == 0, up.stderr
    assert "cluster lab is up: Ray 2.60.0 lists all 3 hosts, 24 GPUs" in up.stdout
    assert f"\n  raycluster serve -i {inventory} MODEL\n" in up.stdout
    assert containers(lab) == ALL
    before = ids(lab)

    again = lab.raycluster("up", inventory)
    assert (again.returncode, again.stderr) == (0, "")
    assert "is up already, nothing to do: Ray 2.60.0 lists all 3 hosts, 24 GPUs" in again.stdout
    assert ids(lab) == before

    status = lab.raycluster("status", inventory)
    assert (status.returncode, status.stderr) == (0, "")
    assert status.stdout.startswith("cluster lab is healthy: Ray 2.60.0 lists 3 of 3 hosts, 24 GPUs\n")
    told = health(lab, inventory)
    assert (told["version"], told["cluster"], told["verdict"]) == (2, "lab", "healthy")
    assert {key: told["hosts"]["gpu2"][key] for key in FACTS} == FACTS

    down = lab.raycluster("down", inventory)
    assert down.returncode == 0, down.stderr
    assert "cluster lab is down: its containers are gone from 3 hosts" in down.stdout
    assert containers(lab) == {}
    assert {host.run("ls", "-A", "/root").stdout for host in lab.hosts.values()} == {".cache\n"}

    gone = lab.raycluster("down", inventory)
    assert (gone.returncode, gone.stderr) == (0, "")
    assert "is down already" in gone.stdout
    assert lab.raycluster("status", inventory).returncode == 3


def test_a_changed_inventory_changes_only_the_host_it_concerns_and_says_why(lab: Lab) -> None:
    brought_up(lab, two_hosts(lab, engine="mp"))
    before = ids(lab)
    up = lab.raycluster("up", two_hosts(lab, engine="mp", worker={"env": {"NCCL_DEBUG": "INFO"}}))
    assert up.returncode == 0, up.stderr
    assert "gpu2: the inventory has changed: env NCCL_DEBUG" in up.stderr
    assert len(before & ids(lab)) == 1


def test_the_containers_outlive_the_laptops_connection_and_keep_their_environment(lab: Lab) -> None:
    brought_up(lab, two_hosts(lab, engine="mp", env={"GREETING": 'it\'s $HOME & "more"'}))
    environment = lab.hosts["gpu2"].docker("exec", "raycluster-lab-gpu2", "env")
    assert 'GREETING=it\'s $HOME & "more"\n' in environment
    assert "VLLM_HOST_IP=192.0.2.12\n" in environment
    assert "GLOO_SOCKET_IFNAME=eth0\n" in environment


def test_a_dry_run_shows_the_lines_and_changes_nothing(lab: Lab) -> None:
    shown = lab.raycluster("up", lab.inventory(), "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "docker run --detach --name raycluster-lab-gpu2 --label raycluster.cluster=lab" in shown.stdout
    assert shown.stdout.endswith("Nothing was changed.\n")
    assert containers(lab) == {}


def test_offline_asks_no_host(lab: Lab) -> None:
    for host in lab.hosts.values():
        host.cut()
    shown = lab.raycluster("up", lab.inventory(), "--dry-run", "--offline")
    assert shown.returncode == 0, shown.stderr
    assert "GLOO_SOCKET_IFNAME=<interface of 192.0.2.12>" in shown.stdout


@pytest.mark.long
def test_the_printed_script_run_with_bash_makes_a_healthy_cluster_and_takes_it_down(lab: Lab) -> None:
    inventory = lab.inventory()
    script = lab.raycluster("up", inventory, "-o", "sh")
    assert script.returncode == 0, script.stderr
    assert containers(lab) == {}
    ran = lab.laptop(["bash", "-s"], input=script.stdout)
    assert ran.returncode == 0, ran.stderr
    assert verdict(lab, inventory) == "healthy"
    assert "nothing to do" in lab.raycluster("up", inventory).stdout

    script = lab.raycluster("down", inventory, "-o", "sh")
    ran = lab.laptop(["bash", "-s"], input=script.stdout)
    assert ran.returncode == 0, ran.stderr
    assert containers(lab) == {}


@pytest.mark.long
def test_a_busy_actor_is_waited_for_when_the_cluster_goes_down(lab: Lab) -> None:
    longer_than_docker_would_wait = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": 12}  # 30 if not told
    inventory = brought_up(lab, two_hosts(lab, env=longer_than_docker_would_wait))
    actor = (
        "import ray; ray.init(address='auto', namespace='n')\n"
        "@ray.remote(num_gpus=8, lifetime='detached', name='busy')\n"
        "class Busy:\n    def ping(self): return ray.util.get_node_ip_address()\n"
        "print(ray.get(Busy.remote().ping.remote()))"
    )
    lab.hosts["gpu1"].docker("exec", "raycluster-lab-gpu1", "python3", "-c", actor)
    down = lab.raycluster("down", inventory)
    assert down.returncode == 0, down.stderr
    assert containers(lab) == {}
