"""One rule for all programs for containers: what an image's own Python can run."""

import ast
import shlex
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


def test_a_program_whose_input_is_closed_ends_as_with_one_that_has_ended(tmp_path: Path) -> None:
    line = f'{shlex.quote(sys.executable)} -c "$0" "$1" 1 15 <&-'
    ran = subprocess.run(["sh", "-c", line, payload.program("tail_files"), tmp_path], check=False, timeout=20,
                         capture_output=True, text=True)  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name", get_args(payload.Name))
def test_a_program_runs_as_a_file_too(name: payload.Name) -> None:
    line = f"import runpy; runpy.run_path({str(FOLDER / name) + '.py'!r})"
    ran = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=False,
                         env={"PYTHONPATH": str(FOLDER)})  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
