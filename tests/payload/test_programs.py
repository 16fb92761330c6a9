"""One rule for all programs for containers: what an image's own Python can run."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from orchestrator import payload

FOLDER = Path(payload.__file__).parent
FILES = sorted(path for path in FOLDER.rglob("*.py") if path.name != "__init__.py")
BESIDE = {path.stem for path in FILES}
IN_THE_IMAGE = {"ray", "torch"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_program_is_python_3_8_and_imports_only_what_the_image_has(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    nodes = list(ast.walk(tree))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names | BESIDE | IN_THE_IMAGE


@pytest.mark.parametrize("name", get_args(payload.Name))
def test_a_text_that_is_sent_needs_nothing_beside_it(name: payload.Name) -> None:
    ast.parse(payload.program(name), feature_version=(3, 8))
    assert "from common" not in payload.program(name)


@pytest.mark.parametrize("name", get_args(payload.Name))
def test_a_program_runs_as_a_file_too(name: payload.Name) -> None:
    line = f"import runpy; runpy.run_path({str(FOLDER / name) + '.py'!r})"
    ran = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=False,
                         env={"PYTHONPATH": str(FOLDER)})  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
