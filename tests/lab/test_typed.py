"""What is printed to be typed, typed: in a folder whose own inventory is another cluster's."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from .lab import Lab
from .seeing import Answer, containers, remedies, two_hosts

OURS = "m/ok.yaml"
TRAP = "cluster: trap\nimage: none\naccelerator: none\nhead: {host: nowhere, ip: 192.0.2.99}\n"
EDIT = re.compile(r"(?P<file>\S+):(?P<line>\d+): (?:write|under `\w+`, add) `(?P<pair>[^`]+)`")


@pytest.fixture
def ours(lab: Lab) -> str:
    """The lab's inventory, which no command finds by itself: where it is looked for lies another."""
    return written(lab)


def written(lab: Lab, **changes: object) -> str:
    (lab.folder / "m").mkdir(exist_ok=True)
    two_hosts(lab, **{"engine": "mp", **changes}).rename(lab.folder / OURS)
    (lab.folder / "inventory.yaml").write_text(TRAP)
    return OURS


def typed(lab: Lab, line: str, answer: str = "") -> Answer:
    """The line as somebody types it into a shell of the laptop."""
    words = shlex.split(line)
    assert words[0] == "raycluster", line
    return lab.raycluster(*words[1:], input=answer)


def the_line(printed: subprocess.CompletedProcess[str], begin: str) -> str:
    """The one line that begins so, alone behind its arrow."""
    (line,) = {each for each in remedies(printed) if each.startswith(f"raycluster {begin}")}
    return line


def follow(lab: Lab, advice: str) -> None:
    """Makes the change of the inventory as it is advised, on the line that is named."""
    found = EDIT.search(advice)
    assert found, advice
    file, number = lab.folder / found["file"], int(found["line"]) - 1
    lines, key = file.read_text().splitlines(), found["pair"].partition(":")[0]
    lines[number] = re.sub(rf"\b{key}: [^,}}]+", found["pair"], lines[number])
    file.write_text("\n".join(lines) + "\n")


def test_an_unknown_host_key(lab: Lab, ours: str) -> None:
    (lab.home / ".ssh/known_hosts").unlink()
    up = lab.raycluster("up", ours)
    assert up.returncode == 1
    assert typed(lab, the_line(up, "trust"), "y\n").returncode == 0
    assert lab.raycluster("up", ours).returncode == 0


def test_no_container_one_that_ended_and_one_that_is_no_more_in_the_inventory(lab: Lab, ours: str) -> None:
    none = lab.raycluster("exec", "-i", ours, "--", "true")
    assert typed(lab, the_line(none, "up")).returncode == 0
    lab.hosts["gpu2"].docker("stop", "--time", "0", "raycluster-lab-gpu2")
    ended = lab.raycluster("status", ours)
    assert typed(lab, the_line(ended, "up")).returncode == 0
    assert lab.raycluster("status", ours).returncode == 0
    gone = lab.raycluster("exec", "-i", ours, "-l", "gpu2", "--", "true")
    assert gone.returncode == 0
    assert "raycluster-trap" not in "".join(containers(lab))
    assert typed(lab, "raycluster down -i m/ok.yaml").returncode == 0


def test_a_folder_for_models_that_is_not_there(lab: Lab) -> None:
    ours = written(lab, hf_home="/tmp/my models")
    line = the_line(lab.raycluster("check", ours), "exec")
    assert typed(lab, line).returncode == 0
    assert "/tmp/my models has room" in lab.raycluster("check", ours).stdout
    lab.on_each(lambda host: host.run("rm", "-rf", "/tmp/my models"))


def test_a_wrong_ip(lab: Lab) -> None:
    ours = written(lab, worker={"ip": "192.0.2.99"})
    up = lab.raycluster("up", ours)
    assert up.returncode == 1
    (advice,) = (each for each in remedies(up) if "write `ip: " in each)
    follow(lab, advice)
    assert lab.raycluster("up", ours).returncode == 0
    assert lab.raycluster("down", ours).returncode == 0


def test_init_without_the_machine_that_is_away(lab: Lab, ours: str) -> None:
    lab.hosts["gpu2"].cut()
    init = lab.raycluster("init", "gpu1", "gpu2", "-i", "new one.yaml")
    line = init.stderr.partition("without gpu2: ")[2].strip()
    assert typed(lab, line).returncode == 0
    assert lab.raycluster("config", "check", Path("new one.yaml")).returncode == 0
    assert (lab.folder / "inventory.yaml").read_text() == TRAP
    assert ours


def test_what_programs_are_told_is_the_same(lab: Lab, ours: str) -> None:
    lab.hosts["gpu2"].stop_docker()
    told = json.loads(lab.raycluster("status", ours, "-o", "json").stdout)
    fixes = [host["fix"] for host in told["hosts"]]
    assert "on gpu2: sudo systemctl start docker" in fixes
