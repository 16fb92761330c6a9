"""Engines beside each other in one cluster: killed, cut off the mains, and given images by each other."""

import re
from pathlib import Path

import pytest

from tests.lab import worlds
from tests.lab.accounts import USER
from tests.lab.host import Host
from tests.lab.image import TAG
from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.registry import registry, small_image
from tests.lab.seeing import containers, findings, health, remedies, verdict
from tests.lab.worlds import ALL_ENGINES, CONTAINERD, PODMAN, SID, SUDO_TRIXIE, TRIXIE, World

ALL = {f"raycluster-lab-gpu{number}": "running" for number in (1, 2, 3)}
KILL_DOCKER = "kill -KILL $(cat /run/docker.pid); while kill -0 $(cat /run/docker.pid); do sleep 0.1; done"
RESTART_UNIT = "/usr/lib/systemd/system/podman-restart.service"


def came_up(lab: Lab, inventory: Path) -> None:
    up = lab.raycluster("up", inventory)
    assert up.returncode == 0, up.stderr


def trouble(lab: Lab, inventory: Path, host: str) -> str:
    return str(health(lab, inventory)["hosts"][host]["trouble"])


@pytest.mark.parametrize("world", [ALL_ENGINES], ids=str, indirect=True)
def test_a_cluster_of_all_engines_lives_through_kills_and_power_cuts(lab: Lab, world: World) -> None:
    inventory = worlds.inventory_of_all(lab, world)
    found = findings(lab, inventory)
    assert not [each for each in found if each["level"] == "failure"], found
    assert not [each for each in found if each["topic"] == "image" and each["level"] != "ok"], found
    named = {
        each["host"]: each["text"] for each in found if each["topic"] == "docker" and each["level"] == "ok"
    }
    assert [named[host].split()[0] for host in lab.hosts] == ["Engine", "Engine", "Podman"]
    came_up(lab, inventory)
    assert containers(lab) == ALL
    again = lab.raycluster("up", inventory)
    assert "is up already, nothing to do" in again.stdout, again.stderr
    same = lab.raycluster("image", "copy", "-i", inventory)
    assert "is the same on all hosts already, nothing to do" in same.stdout, same.stderr

    for host in lab.hosts.values():
        host.docker("kill", f"raycluster-lab-{host.name}")
    assert verdict(lab, inventory) == "down"
    assert "exited with code 137" in trouble(lab, inventory, "gpu3")
    came_up(lab, inventory)

    for name in ("gpu2", "gpu3"):
        lab.hosts[name].reboot()
    wait_until("Docker has brought it back", lambda: containers(lab)["raycluster-lab-gpu2"] == "running")
    assert trouble(lab, inventory, "gpu2") == ""
    told = trouble(lab, inventory, "gpu3")
    assert re.fullmatch(r"its container ended with the host, which was rebooted \d+ s ago", told), told
    came_up(lab, inventory)
    assert verdict(lab, inventory) == "healthy"
    down = lab.raycluster("down", inventory)
    assert (down.returncode, containers(lab)) == (0, {}), down.stderr


@pytest.mark.parametrize("world", [TRIXIE, CONTAINERD, SID], ids=str, indirect=True)
def test_a_docker_that_was_killed_is_named_as_why_a_container_is_down_and_up_mends_it(
    lab: Lab, world: World
) -> None:
    inventory = worlds.inventory(lab, world)
    came_up(lab, inventory)
    gpu2 = lab.hosts["gpu2"]
    gpu2.run("sh", "-c", KILL_DOCKER, check=False)
    gpu2.start_docker()
    wait_until("Docker has ended it", lambda: containers(lab)["raycluster-lab-gpu2"] == "exited", 60)
    status = lab.raycluster("status", inventory)
    assert status.returncode == 3
    assert "when Docker was restarted. Docker had been killed or had crashed" in status.stdout
    assert any('"live-restore": true' in each for each in remedies(status)), status.stdout
    came_up(lab, inventory)
    assert verdict(lab, inventory) == "healthy"


def _reboot_and_run_the_unit(host: Host) -> None:
    """What systemd would run after a boot; there is none in the lab."""
    host.reboot()
    unit = host.run("cat", RESTART_UNIT).stdout
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    host.run("sh", "-c", line)


@pytest.mark.parametrize("world", [PODMAN, worlds.PODMAN_SID], ids=str, indirect=True)
def test_what_podmans_unit_brings_back_after_a_reboot(lab: Lab, world: World) -> None:
    """An older one only what is restarted always."""
    takes_all = world is worlds.PODMAN_SID
    inventory = worlds.inventory(lab, world, worker={"docker": {"restart": "always"}})
    came_up(lab, inventory)
    found = [each for each in findings(lab, inventory) if "after a reboot" in each["text"]]
    assert {each["host"] for each in found} == {"gpu1", "gpu2"}
    for name in ("gpu1", "gpu2"):
        _reboot_and_run_the_unit(lab.hosts[name])
    assert containers(lab)["raycluster-lab-gpu2"] == "running"
    assert containers(lab)["raycluster-lab-gpu1"] == ("running" if takes_all else "exited")
    came_up(lab, inventory)
    assert verdict(lab, inventory) == "healthy"


@pytest.mark.parametrize("world", [ALL_ENGINES], ids=str, indirect=True)
@pytest.mark.parametrize("source", ["gpu1", "gpu3"])
def test_an_image_is_copied_between_all_engines_and_what_is_quoted_is_true_of_all(
    lab: Lab, world: World, source: str
) -> None:
    inventory = worlds.inventory_of_all(lab, world)
    name = f"small:{source}"
    small_image(lab.hosts[source], name, "one", "two")
    copy = lab.raycluster("image", "copy", "-i", inventory, name, "--from", source)
    assert copy.returncode == 0, copy.stderr
    assert f"all 3 hosts have {name}" in copy.stdout
    for digest in re.findall(r"[0-9a-f]{64}", copy.stdout):
        assert all(digest in host.docker("image", "inspect", name) for host in lab.hosts.values())
    others = [host for host in lab.hosts if host != source]
    lab.hosts[source].docker("image", "rm", name)
    back = lab.raycluster("image", "copy", "-i", inventory, name, "--from", others[-1])
    assert back.returncode == 0, back.stderr
    assert lab.hosts[source].docker("image", "inspect", name)


@pytest.mark.parametrize("world", [ALL_ENGINES], ids=str, indirect=True)
def test_an_image_that_a_host_runs_and_has_no_layers_of_is_not_copied_and_its_host_is_named(
    lab: Lab, world: World
) -> None:
    """The containerd store has the layers' files from `docker load`, so it fetches none when it pulls."""
    name = f"{registry(lab)}/raylab:1"
    gpu1, gpu2, gpu3 = lab.hosts.values()
    gpu1.docker("tag", "raylab:latest", name)
    gpu1.docker("push", name)
    gpu2.docker("pull", name)
    gpu1.docker("image", "rm", name)
    inventory = worlds.inventory_of_all(lab, world)
    for target in (gpu1, gpu3):
        copy = lab.raycluster("image", "copy", "-i", inventory, name, "--from", "gpu2", "-l", target.name)
        assert copy.returncode == 1, copy.stdout
        assert re.search(r"gpu2 sent \d kB of \d+ MB: it lacks layers of the image", copy.stderr)
        assert any("--from HOST" in each for each in remedies(copy)), copy.stderr
        assert not target.docker("images", "--quiet", name)
    assert gpu2.docker("run", "--rm", "--network", "host", name, "echo", "runs") == "runs"
    gpu2.docker("image", "rm", name, "raylab:latest")
    gpu2.docker("pull", name)
    mended = lab.raycluster("image", "copy", "-i", inventory, name, "--from", "gpu2")
    assert mended.returncode == 0, mended.stderr


@pytest.mark.parametrize("world", [ALL_ENGINES], ids=str, indirect=True)
def test_an_image_is_pulled_by_all_engines_and_proved_to_be_the_same(lab: Lab, world: World) -> None:
    name = f"{registry(lab)}/small:1"
    small_image(lab.hosts["gpu1"], name, "one", "two")
    lab.hosts["gpu1"].docker("push", name)
    inventory = worlds.inventory_of_all(lab, world, image=name, docker={"pull": "missing"})
    pull = lab.raycluster("pull", inventory)
    assert pull.returncode == 0, pull.stderr
    (digest,) = re.findall(r"sha256:[0-9a-f]{64}", pull.stdout)
    assert all(digest in host.docker("image", "inspect", name) for host in lab.hosts.values())


@pytest.mark.parametrize("world", [SUDO_TRIXIE], ids=str, indirect=True)
def test_sudo_docker_is_found_where_the_client_says_nothing_of_the_daemon_it_may_not_use(
    lab: Lab, world: World
) -> None:
    """As Docker's clients before 28 do, with exit code 0."""
    plain = worlds.inventory(lab, world, docker={"command": "docker"})
    texts = [each["text"] for each in findings(lab, plain)]
    assert texts.count("Docker answers there to `sudo -n docker`") == 2, texts
    made = lab.folder / "made.yaml"
    init = lab.raycluster("init", *(f"{USER}@{name}" for name in lab.hosts), "--image", TAG, "-i", made)
    assert init.returncode == 0, init.stderr
    assert "command: sudo -n docker" in made.read_text(), made.read_text()
    assert lab.raycluster("check", made).returncode == 0
