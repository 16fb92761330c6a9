"""What the shell on a host finds in a container's log of `ray start`, by a Docker that is a few lines of shell."""

import json
import subprocess
from pathlib import Path

import pytest

from orchestrator.plan import scripts
from orchestrator.plan.ray.commands import STARTED, STARTS

AT_WORK = f"[1;36mINFO[0m scripts.py:1234 -- {STARTS}: 10.0.0.2\n"
DONE = f"{AT_WORK}SUCC scripts.py:1250 -- {STARTED}\n"

DOCKER = """\
#!/bin/sh
case $1 in
    container) echo '"state":{"Status":"running"},"restarts":0' ;;
    logs) cat "$0.log" ;;
esac
"""


@pytest.mark.parametrize(
    ("log", "started"),
    [
        (AT_WORK, False),
        (DONE, True),
        ("", None),
        ("entry.sh: sends all else to a file\n", None),
        (None, None),
    ],
    ids=["at work", "done", "nothing yet", "sent elsewhere", "no logs kept"],
)
def test_a_log_tells_that_ray_has_started_or_not_yet_or_tells_nothing(
    tmp_path: Path, log: str | None, started: bool | None
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    if log is not None:
        (tmp_path / "docker.log").write_text(log)
    words = ("sh", "-c", scripts.STARTED, "started", str(docker), "raycluster-demo-gpu2", STARTS, STARTED)
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    told = json.loads(ran.stdout)
    assert (told["started"], told["state"]["Status"]) == (started, "running")
