"""The lab is what it says: what other tests prove rests on it."""

import os
import signal
import subprocess
import sys

import pytest

from . import processes, screens
from .host import Host
from .inventory import as_yaml, inventory
from .lab import Lab
from .processes import CHECKOUT, LabError, run, wait_until
from .terminal import terminal

UNREACHABLE = 255
IMAGE = "raylab:latest"
LAB = CHECKOUT / "tests/lab/lab"
LENT = """
from tests.lab import lifecycle
with lifecycle.lent(1, lambda _: None):
    print("it stands", flush=True)
    input()
"""
SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=1")


def ssh(lab: Lab, host: str, *words: str) -> subprocess.CompletedProcess[str]:
    return lab.laptop([*SSH, host, *words])


def answers(lab: Lab, host: str) -> bool:
    return ssh(lab, host, "true").returncode == 0


def run_container(host: Host, *words: str, image: str = IMAGE) -> str:
    return host.docker("run", "--rm", "--network", "host", image, *words)


def test_each_host_answers_over_ssh_with_its_own_name(lab: Lab) -> None:
    names = [ssh(lab, name, "hostname").stdout.strip() for name in lab.hosts]
    assert names == ["gpu1", "gpu2", "gpu3"]


def test_each_host_is_known_by_address_too(lab: Lab) -> None:
    assert ssh(lab, "192.0.2.12", "hostname").stdout == "gpu2\n"


def test_each_host_has_a_docker_of_its_own(lab: Lab) -> None:
    engines = {ssh(lab, name, "docker info --format '{{.ID}}'").stdout for name in lab.hosts}
    assert len(engines) == 3


def test_each_host_has_a_key_of_its_own(lab: Lab) -> None:
    assert len({host.public_key for host in lab.hosts.values()}) == 3


def test_a_host_key_that_is_not_known_is_refused(lab: Lab) -> None:
    (lab.home / ".ssh/known_hosts").unlink()
    refused = ssh(lab, "gpu1", "true")
    assert refused.returncode == UNREACHABLE
    assert "Host key verification failed" in refused.stderr


def test_host_network_is_the_hosts_address(lab: Lab) -> None:
    for host in lab.hosts.values():
        assert f"{host.address}/24" in run_container(host, "ip", "-brief", "address", "show", "eth0")


def test_a_container_reaches_another_host(lab: Lab) -> None:
    run_container(lab.hosts["gpu2"], "bash", "-c", f"</dev/tcp/{lab.hosts['gpu3'].address}/22")


def test_the_image_has_ray(lab: Lab) -> None:
    assert "2.60.0" in run_container(lab.hosts["gpu1"], "ray", "--version")


def test_an_image_has_an_older_ray(lab: Lab) -> None:
    assert "2.54.0" in run_container(lab.hosts["gpu1"], "ray", "--version", image="raylab:old")


def test_an_image_has_what_rays_dashboard_needs(lab: Lab) -> None:
    needs = "from ray.dashboard import optional_deps, head; import ray; print(ray.__version__)"
    assert run_container(lab.hosts["gpu1"], "python3", "-c", needs, image="raylab:dashboard") == "2.60.0"
    with pytest.raises(LabError, match="ModuleNotFoundError"):
        run_container(lab.hosts["gpu1"], "python3", "-c", needs)


def test_hosts_share_the_image_and_see_no_write_of_each_other(lab: Lab) -> None:
    first, second = lab.hosts["gpu1"], lab.hosts["gpu2"]
    first.docker("run", "--name", "writer", IMAGE, "sh", "-c", "echo mine >/etc/motd; rm /usr/local/bin/ray")
    first.docker("commit", "writer", "raylab:written")
    assert run_container(first, "cat", "/etc/motd", image="raylab:written") == "mine"
    assert run_container(second, "cat", "/etc/motd") != "mine"
    assert run_container(second, "ls", "/usr/local/bin/ray") == "/usr/local/bin/ray"
    assert run_container(first, "ls", "/usr/local/bin/ray") == "/usr/local/bin/ray"


def test_an_image_removed_on_one_host_stays_on_the_others(lab: Lab) -> None:
    first = lab.hosts["gpu1"]
    first.docker("tag", IMAGE, "raylab:spare")
    first.docker("rmi", "raylab:spare")
    assert run_container(lab.hosts["gpu2"], "echo", "here") == "here"
    assert run_container(first, "echo", "here") == "here"


def test_homes_and_temporary_folders_are_not_shared(lab: Lab) -> None:
    lab.hosts["gpu1"].run("touch", "/root/mine", "/tmp/mine", "/run/mine")
    assert lab.hosts["gpu2"].run("ls", "/root", "/tmp", "/run").stdout.count("mine") == 0


def test_a_variant_of_the_image(lab: Lab) -> None:
    host = lab.hosts["gpu3"]
    host.variant("raylab:noray", "rm /usr/local/bin/ray")
    host.variant("raylab:broken", "printf '#!/bin/sh\\nexit 1\\n' >/usr/local/bin/ray")
    assert run_container(host, "sh", "-c", "command -v ray || echo $HOME", image="raylab:noray") == "/root"
    with pytest.raises(LabError, match="exit 1"):
        run_container(host, "ray", "--version", image="raylab:broken")


def test_a_cut_cable_and_its_mending(lab: Lab) -> None:
    lab.hosts["gpu2"].cut()
    assert ssh(lab, "gpu2", "true").returncode == UNREACHABLE
    assert answers(lab, "gpu1")
    lab.hosts["gpu2"].mend()
    wait_until("gpu2 answers", lambda: answers(lab, "gpu2"))


def test_docker_stopped_and_started(lab: Lab) -> None:
    host = lab.hosts["gpu2"]
    host.stop_docker()
    assert ssh(lab, "gpu2", "docker", "ps").returncode == 1
    host.start_docker()
    assert ssh(lab, "gpu2", "docker", "ps").returncode == 0


def test_ssh_stopped_and_started(lab: Lab) -> None:
    host = lab.hosts["gpu2"]
    host.stop_ssh()
    assert "Connection refused" in ssh(lab, "gpu2", "true").stderr
    host.start_ssh()
    assert answers(lab, "gpu2")


def test_a_gpu_is_offered_only_with_the_stand_in(lab: Lab) -> None:
    host = lab.hosts["gpu1"]
    asking = ("run", "--rm", "--gpus", "all", IMAGE, "printenv", "NVIDIA_VISIBLE_DEVICES")
    with pytest.raises(LabError, match="could not select device driver"):
        host.docker(*asking)
    host.start_docker(gpu_hook=True)
    assert host.docker(*asking) == "all"


def test_a_reboot_ends_what_ran_and_restarts_what_should(lab: Lab) -> None:
    host = lab.hosts["gpu1"]
    stays = ("run", "--detach", "--network", "host", "--restart", "unless-stopped", "--name", "stays")
    host.docker(*stays, IMAGE, "sleep", "infinity")
    host.docker("run", "--detach", "--network", "host", "--name", "ends", IMAGE, "sleep", "infinity")
    host.reboot()
    wait_until("the container is back", lambda: host.docker("ps", "--format", "{{.Names}}") == "stays")
    assert answers(lab, "gpu1")


def test_the_world_is_restored(lab: Lab) -> None:
    one, two, three = lab.hosts.values()
    one.docker("run", "--detach", "--label", "raycluster.cluster=lab", IMAGE, "sleep", "infinity")
    one.run("mkdir", "/root/.raycluster")
    two.cut()
    two.stop_ssh()
    three.power_off()
    (lab.home / ".ssh/known_hosts").write_text("")
    lingering = lab.laptop_popen(["sleep", "infinity"])
    lab.restore()
    assert lingering.returncode == -signal.SIGKILL
    assert lab.is_whole
    assert one.docker("ps", "--all", "--quiet") == ""
    assert one.run("ls", "-A", "/root").stdout == ""
    assert all(answers(lab, name) for name in lab.hosts)


def test_a_lab_beside_this_one_comes_and_goes_and_leaves_this_one_whole(lab: Lab) -> None:
    def beside(*words: str) -> str:
        return run("env", "-u", "PYTEST_XDIST_WORKER", "RAYCLUSTER_LAB=beside", LAB, *words).stdout

    assert beside("up", "1") == "gpu1  192.0.2.11\n"
    try:
        assert beside("status") == "gpu1  192.0.2.11  plugged, ssh, docker 0 running\n"
        assert (
            beside("ssh", "gpu1", "cat", "/etc/ssh/ssh_host_ed25519_key.pub") != lab.hosts["gpu1"].public_key
        )
        lab.hosts["gpu1"].stop_ssh()
        assert "plugged, ssh" in beside("status")
    finally:
        beside("down")
    assert processes.machines("beside") == []
    lab.hosts["gpu1"].start_ssh()
    assert lab.is_whole
    assert run_container(lab.hosts["gpu1"], "echo", "here") == "here"


def test_a_lab_ends_with_the_run_that_made_it_though_that_is_killed() -> None:
    env = {key: value for key, value in os.environ.items() if key != "PYTEST_XDIST_WORKER"}
    making = subprocess.Popen(
        [sys.executable, "-c", LENT],
        env=env | {"RAYCLUSTER_LAB": "lent"},
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
    )
    with making:
        assert making.stdout
        assert making.stdout.readline() == b"it stands\n"
        assert "gpu1" in processes.machines("lent")
        making.kill()
    wait_until("nothing of it is left", lambda: processes.machines("lent") == [])


def test_every_screen_of_the_pages_can_be_recorded(lab: Lab) -> None:
    lab.inventory()
    with terminal(lab, screens.COLUMNS, screens.ROWS) as person:
        made = dict(screens.shots(lab, person))
    assert list(made) == list(screens.SCREENS)
    for name, shown in made.items():
        assert any(screens.block(name).search(page.read_text()) for page in screens.PAGES)
        assert "cluster" in shown


def test_the_laptop_is_no_host(lab: Lab) -> None:
    assert lab.laptop(["hostname"]).stdout == "laptop\n"
    assert lab.laptop(["docker", "ps"]).returncode != 0


def test_the_laptops_home_environment_and_folder(lab: Lab) -> None:
    seen = lab.laptop(["sh", "-c", "echo $HOME $HELLO; pwd; cat"], env={"HELLO": "there"}, input="words")
    assert seen.stdout == f"{lab.home} there\n{lab.folder}\nwords"


def test_a_signal_reaches_a_command_on_the_laptop(lab: Lab) -> None:
    script = "trap 'echo interrupted; exit 130' INT; echo ready; while :; do read -t 1; done"
    process = lab.laptop_popen(["bash", "-c", script])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130


def test_the_inventory_takes_changes(lab: Lab) -> None:
    text = lab.inventory(cluster="other", docker={"pull": None, "restart": "no"}, ray=None).read_text()
    assert "cluster: other\n" in text
    assert "docker: {shm_size: 1g, restart: no}\n" in text
    assert "ray:" not in text
    assert "  - {name: gpu3, host: 192.0.2.13, ip: 192.0.2.13}\n" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a: b", 'x: "a: b"\n'),
        ("#", 'x: "#"\n'),
        ("", 'x: ""\n'),
        ([], "x: []\n"),
        (["-e", {"k": [True, 1]}], 'x:\n  - "-e"\n  - {k: [true, 1]}\n'),
    ],
)
def test_inventory_text(value: object, text: str) -> None:
    assert as_yaml({"x": value}) == text


def test_an_inventory_of_one_host() -> None:
    entry = {"name": "gpu1", "host": "192.0.2.11", "ip": "192.0.2.11"}
    assert inventory([entry], {})["workers"] == []
