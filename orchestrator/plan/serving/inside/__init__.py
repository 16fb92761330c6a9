"""The programs that keep a model's server inside a container, and where they stand there."""

import json
from functools import cache
from pathlib import Path

FOLDER = "/var/tmp/raycluster"  # noqa: S108 - the one place that every image lets everybody write to
KEEPER = f"{FOLDER}/keeper.py"
LOOK = '[ ! -e "$0" ] || exec python3 "$0" look "$1"'
"""For a shell in a container, given KEEPER and a number of lines; silent where nothing was ever served."""

RESUME = f"[ ! -e {KEEPER} ] || python3 {KEEPER} keep &"
"""For the shell that a container begins with: what it served before, it serves again."""


def brought(spec: str) -> str:
    """What the container is sent: the programs, and what to keep."""
    return json.dumps({"files": _programs(), "spec": spec})


PROGRAMS = ("keeper.py", "company.py", "processes.py", "server.py")


@cache
def _programs() -> dict[str, str]:
    here = Path(__file__).parent
    return {name: (here / name).read_text(encoding="utf-8") for name in PROGRAMS}
