"""One rule for all programs for containers: what an image's own Python can run."""

import ast
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from orchestrator import payload

FOLDER = Path(payload.__file__).parent
FILES = sorted(path for path in FOLDER.rglob("*.py") if path.name != "__init__.py")
BESIDE = {path.stem for path in FILES}
IN_THE_IMAGE = {"ray", "torch", "huggingface_hub", "vllm", "yaml"}
NEWER = {
    *("removeprefix", "removesuffix", "is_relative_to", "with_stem", "hardlink_to"),
    *("to_thread", "randbytes", "lcm", "nextafter", "bit_count", "pairwise", "batched", "aclosing", "chdir"),
    *("waitstatus_to_exitcode", "pidfd_open", "pidfd_send_signal", "send_fds", "recv_fds"),
    *("add_note", "stdlib_module_names", "orig_argv", "UTC"),
    *("packages_distributions", "file_digest", "unparse", "TaskGroup", "timeout_at", "StrEnum"),
}
"""Names of the standard library that Python 3.8 has not, wherever they are (docs.python.org, What's New)."""
NEWER_WORDS = {
    "zip": {"strict"},
    "dataclass": {"slots", "kw_only"},
    "Popen": {"user", "group", "extra_groups", "umask", "pipesize", "process_group"},
    "run": {"user", "group", "extra_groups", "umask", "pipesize", "process_group"},
    "glob": {"root_dir", "dir_fd", "include_hidden"},
    "shutdown": {"cancel_futures"},
    "rmtree": {"onexc"},
    "bisect": {"key"},
    "insort": {"key"},
}
NEWER_MODULES = {"tomllib", "zoneinfo", "graphlib"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_program_is_python_3_8_and_imports_only_what_the_image_has(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    nodes = list(ast.walk(tree))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    there = (sys.stdlib_module_names - NEWER_MODULES) | BESIDE | IN_THE_IMAGE
    assert {name.partition(".")[0] for name in names} <= there
    assert not [*_newer(tree)]


def _newer(tree: ast.AST) -> Iterator[str]:
    """What the program asks of the standard library that came after 3.8."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in NEWER:
            yield f"{node.lineno}: .{node.attr}"
        if isinstance(node, ast.ImportFrom):
            yield from (
                f"{node.lineno}: {node.module}.{each.name}"
                for each in node.names
                if each.name in NEWER or (node.module, each.name) == ("functools", "cache")
            )
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "functools.cache":
            yield f"{node.lineno}: functools.cache"
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            words = NEWER_WORDS.get(name, set()) & {each.arg for each in node.keywords}
            yield from (f"{node.lineno}: {name}({each}=)" for each in words)


@pytest.mark.parametrize(
    "text",
    [
        "zip(a, b, strict=True)",
        "text.removeprefix('x')",
        "from functools import cache",
        "functools.cache(f)",
        "subprocess.run(words, process_group=0)",
    ],
)
def test_what_python_3_8_has_not_is_found(text: str) -> None:
    assert [*_newer(ast.parse(text))]


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
                         env={"PYTHONPATH": f"{FOLDER}:{FOLDER / 'models'}"})  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_working_folder_of_an_image_lends_no_modules(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')\n")
    program = [sys.executable, "-c", payload.program("probe"), "where", "sh"]
    ran = subprocess.run(program, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize("name", get_args(payload.Name))
def test_no_name_of_a_program_has_a_second_meaning_in_a_file_that_is_sent_with_it(name: payload.Name) -> None:
    """They are one text, in which the last meaning would count for all."""
    tree = ast.parse(payload.program(name))
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    stored = [
        each.id
        for node in assigned
        for target in node.targets
        for each in ast.walk(target)
        if isinstance(each, ast.Name)
    ]
    names = [*defined, *stored]
    assert sorted(names) == sorted(set(names))
