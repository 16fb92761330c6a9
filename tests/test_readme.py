"""The README keeps its word: each test that it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_each_row_on_failures_names_tests_that_exist_in_the_lab() -> None:
    section = README.partition("## When something fails")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and "**" not in line][1:]
    there = set(
        re.findall(
            r"^def (test_\w+)",
            "\n".join(p.read_text() for p in ROOT.glob("tests/lab/test_*.py")),
            re.MULTILINE,
        )
    )
    named = [re.findall(r"`(test_\w+)`", row) for row in rows]
    assert len(rows) > 30
    assert all(named)
    assert {name for names in named for name in names} <= there
