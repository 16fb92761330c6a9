"""`raycluster up` where the image has no Ray, as a person sees it."""

import json
import subprocess
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
    return hosts


def test_a_host_that_could_not_add_ray_and_got_the_heads_image_is_told_of_at_the_end(
    building: FakeFleet, raycluster: Raycluster
) -> None:
    up = raycluster("up")
    assert up.exit_code == 0, up.stderr
    (loaded,) = [each for each in building.sent if "load" in each.command.argv]
    assert (loaded.host, loaded.piped) == ("gpu2", b"an image")
    assert f"! gpu2: {TITLE}: exit code 1; instead: load raycluster-ray:" in up.stderr
    assert "| ERROR: No matching distribution found for ray==2.56.0\n      → check `ray.install`" in up.stderr


def test_where_the_head_cannot_add_ray_nothing_is_copied_or_started(
    building: FakeFleet, raycluster: Raycluster
) -> None:
    building.on("gpu1", sent("build"), NO_WAY_OUT)
    up = raycluster("up")
    assert (up.exit_code, up.stdout) == (1, "")
    assert f"✗ cluster demo is not up: its head failed\n  gpu1, gpu2  {TITLE}: exit code 1\n" in up.stderr
    assert not {"save", "run", "load"} & {word for each in building.sent for word in each.command.argv}


@pytest.mark.usefixtures("building")
def test_for_programs_the_step_that_failed_stays_failed_and_the_run_is_done(raycluster: Raycluster) -> None:
    lines = [json.loads(line) for line in raycluster("up", "-o", "jsonl").stdout.splitlines()]
    ended = {(each["host"], each["step"]): each["status"] for each in lines if each["event"] == "step-ended"}
    assert ended["gpu2", TITLE] == "failed"
    assert (lines[-1]["verdict"], lines[-1]["failures"]) == ("done", [])


@pytest.mark.usefixtures("building")
def test_the_plan_shows_the_other_way(raycluster: Raycluster) -> None:
    plan = raycluster("up", "--dry-run").stdout
    assert "1. Get the image\n   gpu1  pull" in plan
    assert "   Where that fails: Copy the image\n   gpu2  load raycluster-ray:" in plan


@pytest.mark.usefixtures("building")
def test_the_script_takes_the_other_way_too(raycluster: Raycluster, tmp_path: Path) -> None:
    """Run with an `ssh` that says what it was to run, and fails where gpu2 builds."""
    script = raycluster("up", "-o", "sh").stdout
    copied = run_with_ssh(tmp_path, script)
    assert copied.index("gpu1 docker save") < copied.index("gpu2 sh -c load")


def run_with_ssh(folder: Path, script: str) -> str:
    ssh = folder / "ssh"
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    path = {"PATH": f"{folder}:/usr/bin:/bin", "SAID": str(folder / "said")}
    subprocess.run(["bash", "-c", script], env=path, check=False, timeout=60)
    return (folder / "said").read_text()


SSH = r"""#!/bin/bash
line=${@: -1}
case $line in
*"'build'"*) [[ $* != *gpu2* ]] ;;
*"'docker' 'save'"*) echo "gpu1 docker save" >>"$SAID"; echo archive ;;
*"'load' 'docker'"*) grep -q archive && echo "gpu2 sh -c load" >>"$SAID" ;;
*) true ;;
esac
"""
