"""Programs for containers, run there by the image's own Python: standard library only, nothing imported from here.

They are sent as text: the probes as an argument of `python3 -c`, those that serve a model (`serving/`) as files.
"""

import json
from functools import cache
from pathlib import Path
from typing import Literal

Name = Literal["ray_nodes", "probe", "network_test", "tail_files"]


@cache
def program(name: Name) -> str:
    """Its text, for `python3 -c`."""
    return Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")


FOLDER = "/var/tmp/raycluster"  # noqa: S108 - the one place that every image lets everybody write to
SUPERVISOR = f"{FOLDER}/supervisor.py"
LOOK = '[ ! -e "$0" ] || exec python3 "$0" look "$1"'
"""For a shell in a container, given SUPERVISOR and a number of lines; silent where nothing was ever served."""

RESUME = f"[ ! -e {SUPERVISOR} ] || python3 {SUPERVISOR} keep &"
"""For the shell that a container begins with: what it served before, it serves again."""


def brought(spec: str) -> str:
    """What the container is sent: the programs, and what to keep."""
    return json.dumps({"files": _programs(), "spec": spec})


PROGRAMS = ("supervisor.py", "rank_group.py", "processes.py", "server.py")


@cache
def _programs() -> dict[str, str]:
    here = Path(__file__).with_name("serving")
    return {name: (here / name).read_text(encoding="utf-8") for name in PROGRAMS}
