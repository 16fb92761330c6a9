"""`raycluster up` where the image has no Ray, as a person sees it."""

from pathlib import Path

import pytest

from orchestrator.remote.transport import Output
from tests.cli.conftest import INVENTORY, Raycluster, seen, sent
from tests.plan.recordings import Said
from tests.remote.fakes import FakeFleet

NO_WAY_OUT = Output(1, "", "ERROR: No matching distribution found for ray==2.56.0\n")
TITLE = "add ray==2.56.0 to the image"


@pytest.fixture
def building(hosts: FakeFleet, folder: Path) -> FakeFleet:
    """Each of the two hosts is to add Ray to the image for itself; gpu2 cannot."""
    (folder / "inventory.yaml").write_text(INVENTORY.replace("ray: {", "ray: {install: ray==2.56.0, "))
    for host, ip in (("gpu1", "10.0.0.1"), ("gpu2", "10.0.0.2")):
        hosts.on(host, sent("observe"), seen(ip, image=Said("", "", 1)))
    hosts.streams("*", sent("pull"), Output(0))
    hosts.on("gpu1", sent("build"), Output(0))
    hosts.on("gpu2", sent("build"), NO_WAY_OUT)
    hosts.on("gpu1", sent("save"), Output(0, "an image"))
    hosts.on("gpu2", sent("load"), Output(0))
    hosts.on("gpu2", sent("trial"), Output(0, '{"ray": "2.56.0", "python": "3.11.2"}'))
    return hosts


def test_a_host_that_could_not_add_ray_is_a_failure_whose_remedy_works_when_it_is_written(
    building: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    up = raycluster("up")
    assert (up.exit_code, up.stdout) == (1, "")
    said = "ERROR: No matching distribution found for ray==2.56.0 (exit code 1)"
    assert f"  gpu2  {TITLE}: {said}\n      → check `ray.install`" in up.stderr
    assert "where only the head does: `image: {from: …, get_on: head}`" in up.stderr
    assert [each.host for each in building.sent if "run" in each.command.argv] == ["gpu1"]
    file = folder / "inventory.yaml"
    written = "image: {from: vllm/vllm-openai:v0.17.1, get_on: head}"
    file.write_text(file.read_text().replace("image: vllm/vllm-openai:v0.17.1", written))
    assert raycluster("up").exit_code == 0
    (loaded,) = [each for each in building.sent if each.command.script == "load"]
    assert (loaded.host, loaded.piped) == ("gpu2", b"an image")


def test_where_the_head_cannot_add_ray_nothing_is_copied_or_started(
    building: FakeFleet, raycluster: Raycluster
) -> None:
    building.on("gpu1", sent("build"), NO_WAY_OUT)
    up = raycluster("up")
    assert (up.exit_code, up.stdout) == (1, "")
    said = f"gpu1, gpu2  {TITLE}: ERROR: No matching distribution found for ray==2.56.0 (exit code 1)\n"
    assert f"✗ cluster demo is not up: all 2 hosts failed\n  {said}" in up.stderr
    assert not {"save", "run", "load"} & {word for each in building.sent for word in each.command.argv}
