"""The examples that people copy are good inventories, and say what is special about them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from tests.test_architecture import ROOT

EXAMPLES = sorted((ROOT / "docs/examples").iterdir())


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_is_good(file: Path) -> None:
    ran = CliRunner().invoke(app, ["config", "check", str(file)], env={"HF_TOKEN": "mine"})
    assert (ran.exit_code, ran.stderr) == (0, "")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_it_is_explained_in_some_ten_lines_and_linked(file: Path) -> None:
    lines = file.read_text().splitlines()
    comment = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    assert 8 <= comment <= 13
    assert f"-i {file.name}" in "\n".join(lines[:comment])
    for page in ("README.md", "docs/configuration.md"):
        assert f"examples/{file.name})" in (ROOT / page).read_text()
