"""The pages keep their word: what they name is there."""

import re
from pathlib import Path

import pytest

from orchestrator.cli.app import COMMANDS
from tests.lab import screens

from .pages import PAGES, README, ROOT, anchors, links, table_rows

PRODUCED = ("lab", "worlds")
"""Where faults are produced on real hosts."""


def test_each_row_on_failures_names_tests_that_exist_in_the_lab() -> None:
    sources = "\n".join(
        path.read_text() for path in ROOT.glob("tests/*/test_*.py") if path.parent.name in PRODUCED
    )
    there = set(re.findall(r"^def (test_\w+)", sources, re.MULTILINE))
    rows = table_rows((ROOT / "docs/failures.md").read_text())
    named = [re.findall(r"`(test_\w+)`", row[-1]) for row in rows]
    assert len(rows) > 60
    assert all(named)
    assert {name for names in named for name in names} <= there


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


def test_the_readme_lists_every_command() -> None:
    listed = README.read_text().partition("## Commands")[2].partition("## ")[0]
    first_cells = [row[0] for row in table_rows(listed)]
    words = {word for cell in first_cells for code in re.findall(r"`([^`]+)`", cell) for word in code.split()}
    assert set(COMMANDS) <= words


def test_the_readme_leads_to_every_page() -> None:
    pages = {page for page in PAGES if page.parent == ROOT / "docs"}
    assert pages <= {path for path, _ in links(README)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        assert path.exists(), path
        assert not anchor or anchor in anchors(path), f"{path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_has_every_target_that_is_named(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:`|^    )make ([a-z-]+)", page.read_text(), re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"\b(?:orchestrator|tests|docs|findings)/[\w./-]*\w", page.read_text())
    assert not [path for path in named if "NAME" not in path and not (ROOT / path).exists()]


@pytest.mark.parametrize("name", screens.SCREENS)
def test_each_screen_has_one_place(name: str) -> None:
    assert sum(len(screens.block(name).findall(page.read_text())) for page in screens.PAGES) == 1
