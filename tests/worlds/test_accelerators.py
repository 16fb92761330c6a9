"""Accelerators that are not NVIDIA's, as far as a host without any can have them: their device files are /dev/null."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.model.accelerators import ASCEND_DEVICES, ASCEND_FILES
from tests.lab.lab import Lab
from tests.lab.seeing import brought_up, environment

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
