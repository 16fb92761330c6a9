"""The table on docs/compatibility.md, made from the record of the tests that have passed in worlds.

`make test-worlds RECORD=1` keeps the record; `python -m tests.docs.compatibility` writes the table anew.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .pages import ROOT

PAGE = ROOT / "docs/compatibility.md"
RECORD = ROOT / "tests/worlds/compatibility.json"
MARKS = re.compile(r"(?s)(<!-- worlds: [^\n]* -->\n).*(<!-- end -->)")
HEADINGS = ("world", "hosts", "engine", "OpenSSH", "image", "Ray", "Python", "tried", "tests")

Entry = Mapping[str, Any]


def record() -> dict[str, Entry]:
    told: dict[str, Entry] = json.loads(RECORD.read_text())
    return told


def table() -> str:
    """A row for each world; hosts that run on different things share it."""
    rows = [HEADINGS, ["---"] * len(HEADINGS), *(list(_cells(name, each)) for name, each in record().items())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _cells(name: str, entry: Entry) -> Iterator[str]:
    hosts, image = entry["hosts"], entry["image"]
    yield f"`{name}`"
    yield _each(host["system"] for host in hosts)
    yield _each(f"{host['engine']} {host['version']}" for host in hosts)
    yield _each(host["ssh"] for host in hosts)
    yield from (image["name"], image["ray"] or "none", image["python"], entry["tried"])
    yield ", ".join(f"`{test}`" for test in entry["tests"])


def _each(values: Iterator[str]) -> str:
    return "; ".join(dict.fromkeys(values))


def page() -> str:
    """The whole page as it should be."""
    return MARKS.sub(lambda found: f"{found[1]}\n{table()}\n\n{found[2]}", PAGE.read_text())


if __name__ == "__main__":
    PAGE.write_text(page())
