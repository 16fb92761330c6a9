"""The programs that run inside containers, sent there as text: each is a file beside this one."""

from functools import cache
from pathlib import Path
from typing import Literal

Name = Literal["node_table", "trial_program", "collective_program", "ray_files"]


@cache
def program(name: Name) -> str:
    """Its text, for `python3 -c`."""
    return Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
