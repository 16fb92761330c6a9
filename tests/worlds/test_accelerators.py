"""Accelerators that are not NVIDIA's, as far as a host without any can have them: their device files are /dev/null."""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.model.accelerators import ASCEND_DEVICES, ASCEND_FILES
from tests.lab.lab import Lab
from tests.lab.seeing import brought_up, environment
from tests.lab.worlds import World

from .conftest import Enter

NULL = os.makedev(1, 3)


@pytest.fixture
def npus() -> Iterator[None]:
    """What an Ascend driver would bring. Hosts of the lab share the machine's /dev and /usr/local."""
    devices = [path for name in ASCEND_DEVICES if not (path := Path("/dev", name)).exists()]
    files = [path for name in ASCEND_FILES if not (path := Path(name)).exists()]
    folders = [
        path for path in map(Path, ("/usr/local/Ascend", "/usr/local/Ascend/driver")) if not path.exists()
    ]
    try:
        for path in devices:
            os.mknod(path, 0o666 | stat.S_IFCHR, NULL)
        for path in files:
            path.mkdir(parents=True)
        yield
    finally:
        for path in devices:
            path.unlink(missing_ok=True)
        for path in (*files, *reversed(folders)):
            shutil.rmtree(path, ignore_errors=True)


@pytest.mark.usefixtures("npus")
def test_npus_are_npus_to_ray_and_to_people(lab: Lab) -> None:
    found = lab.inventory(accelerator="ascend", ray={"num_gpus": None}, workers=[])
    up = lab.raycluster("up", found)
    assert (
        up.stdout.splitlines()[0].partition(" (")[0]
        == "cluster lab is up: Ray 2.60.0 lists all 1 hosts, 8 NPUs"
    )
    assert any(each.startswith("HCCL_SOCKET_IFNAME=eth0") for each in environment(lab, "gpu1"))
    fewer = brought_up(lab, lab.inventory(accelerator="ascend", ray={"num_gpus": 4}, workers=[]))
    status = lab.raycluster("status", fewer)
    assert (status.returncode, "lists 1 of 1 hosts, 4 NPUs" in status.stdout) == (0, True)
    assert "  NPUS  " in status.stdout
    asked = "import ray; ray.init(address='auto', log_to_driver=False); print(ray.cluster_resources())"
    resources = lab.hosts["gpu1"].docker("exec", "raycluster-lab-gpu1", "python3", "-c", asked)
    assert "'NPU': 4.0" in resources
    assert "'GPU'" not in resources


@pytest.mark.usefixtures("npus")
def test_a_variable_that_hides_npus_is_what_is_asked_for(lab: Lab) -> None:
    some = {"ASCEND_RT_VISIBLE_DEVICES": "0,1"}
    up = lab.raycluster(
        "up", lab.inventory(accelerator="ascend", ray={"num_gpus": None}, env=some, workers=[])
    )
    assert (up.returncode, "2 NPUs" in up.stdout) == (0, True), up.stderr


CDI = World("cdi", system="sid")
"""Docker 28.5, which knows devices by CDI, without NVIDIA's hook."""
SMI = "#!/bin/sh\nprintf 'GPU 0: NVIDIA H100 (UUID: GPU-1)\\nGPU 1: NVIDIA H100 (UUID: GPU-2)\\n'\n"
PLACE = "etc/docker/cdi"


def device(name: str) -> dict[str, object]:
    mount = {"hostPath": f"/{PLACE}/nvidia-smi", "containerPath": "/usr/local/bin/nvidia-smi"}
    return {"name": name, "containerEdits": {"mounts": [mount | {"options": ["ro", "bind"]}]}}


@pytest.fixture
def cdi(lab: Lab, enter: Enter) -> Iterator[None]:
    """A host whose Docker has two GPUs by CDI, which are a program that tells of them."""
    enter(CDI)
    host = lab.hosts["gpu1"]
    settings = host.folder / "etc/docker/daemon.json"
    before = settings.read_text()
    told = {
        "cdiVersion": "0.6.0",
        "kind": "nvidia.com/gpu",
        "devices": [device("0"), device("1"), device("all")],
    }
    try:
        host.stop_docker()
        (host.folder / PLACE).mkdir()
        (host.folder / PLACE / "nvidia.json").write_text(json.dumps(told))
        (host.folder / PLACE / "nvidia-smi").write_text(SMI)
        (host.folder / PLACE / "nvidia-smi").chmod(0o755)
        settings.write_text(json.dumps(json.loads(before) | {"cdi-spec-dirs": [f"/{PLACE}"]}))
        host.start_docker()
        yield
    finally:
        host.stop_docker()
        shutil.rmtree(host.folder / PLACE, ignore_errors=True)
        settings.write_text(before)
        host.start_docker()


@pytest.mark.usefixtures("cdi")
def test_gpus_that_docker_has_by_cdi_alone(lab: Lab) -> None:
    """Docker before 29.2 makes no use of them for --gpus."""
    one = {"engine": "mp", "accelerator": "nvidia", "ray": {"num_gpus": None}, "workers": []}
    fix = "gpus: 'driver=cdi,device=nvidia.com/gpu=all'"
    refused = lab.raycluster("up", lab.inventory(**one))
    assert fix in refused.stderr
    check = lab.raycluster("check", lab.inventory(**one))
    assert fix in check.stdout
    assert "may know the GPUs by CDI" in check.stdout
    for docker in (
        {"gpus": "driver=cdi,device=nvidia.com/gpu=all"},
        {"gpus": "none", "args": ["--device", "nvidia.com/gpu=0"]},
    ):
        told = brought_up(lab, lab.inventory(**one, docker=docker))
        assert "containers see 2: NVIDIA H100" in lab.raycluster("check", told).stdout


def test_another_interface_whose_name_begins_alike_is_not_for_nccl(lab: Lab) -> None:
    inventory, dry = lab.inventory(engine="mp"), ("up", "--dry-run")
    assert "-e NCCL_SOCKET_IFNAME=eth0 " in lab.raycluster(*dry, inventory).stdout
    host = lab.hosts["gpu1"]
    for words in (
        ("link", "add", "eth0.100", "type", "veth", "peer", "name", "other"),
        ("address", "add", "10.77.0.1/24", "dev", "eth0.100"),
    ):
        host.run("ip", *words)
    try:
        shown = lab.raycluster(*dry, inventory).stdout
    finally:
        host.run("ip", "link", "delete", "eth0.100")
    assert shown.count("-e GLOO_SOCKET_IFNAME=eth0 -e NCCL_SOCKET_IFNAME==eth0 ") == 1
    assert shown.count("-e GLOO_SOCKET_IFNAME=eth0 -e NCCL_SOCKET_IFNAME=eth0 ") == len(lab.hosts) - 1
