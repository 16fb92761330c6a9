"""The rules of the layers that import-linter cannot say."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "orchestrator").rglob("*.py"))
IN_THE_CONTAINER = set((ROOT / "orchestrator/payload").rglob("*.py"))
CLI = ROOT / "orchestrator/cli"
GOING_AROUND = {"out", "print_json", "log", "control"}
SLOW = ("fabric", "paramiko", "yaml", "rich.live")  # Typer itself brings pydantic


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path: Path) -> frozenset[tuple[str, bool]]:
    """The modules that a file imports, and whether it does so at its top level."""
    found = set()
    for node in nodes(path):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {(name, getattr(node, "col_offset", 0) == 0) for name in names}
    return frozenset(found)


def importers(module: str, *, top_level: bool = False) -> set[str]:
    """The files of the program that import a module."""
    return {
        str(path.relative_to(ROOT / "orchestrator"))
        for path in SOURCES
        if path not in IN_THE_CONTAINER
        for name, at_top in imports(path)
        if name.partition(".")[0] == module and (at_top or not top_level)
    }


@cache
def called(path: Path) -> frozenset[str]:
    """What a file calls, as it is written there."""
    return frozenset(ast.unparse(node.func) for node in nodes(path) if isinstance(node, ast.Call))


def calls(path: Path, *names: str) -> bool:
    return not called(path).isdisjoint(names)


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def at_once(path: Path, modules: set[str]) -> Iterator[str]:
    """The modules of ours that are run before a file is, its own packages aside."""
    own = module(path)
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            parts = name.split(".")
            known = {".".join(parts[:end]) for end in range(1, len(parts) + 1)} & modules
            yield from (each for each in known if not f"{own}.".startswith(f"{each}."))


def test_any_module_can_be_the_first_that_is_imported() -> None:
    modules = {module(path) for path in SOURCES}
    TopologicalSorter({module(path): set(at_once(path, modules)) for path in SOURCES}).prepare()


def test_only_remote_opens_sockets_and_starts_processes() -> None:
    assert {path.partition("/")[0] for path in importers("subprocess") | importers("socket")} == {"remote"}


def test_only_cli_talks_to_people() -> None:
    talking = {path for path in SOURCES if calls(path, "print", "typer.echo", "sys.stdout.write")}
    assert {path.relative_to(ROOT / "orchestrator").parts[0] for path in talking - IN_THE_CONTAINER} <= {
        "cli"
    }
    assert {path.partition("/")[0] for path in importers("rich") | importers("typer")} == {"cli"}


def test_only_the_screen_makes_a_console_and_nothing_goes_around_it() -> None:
    making = {path.name for path in SOURCES if calls(path, "Console", "Screen")}
    assert making == {"console.py"}
    around = {
        str(path)
        for path in SOURCES
        if path.is_relative_to(CLI)
        and path.name not in ("console.py", "readers.py")  # the latter is below it
        for node in nodes(path)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in GOING_AROUND
        )
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout", "sys.stderr"))
    }
    assert around == set()


def test_only_the_schemas_know_pydantic() -> None:
    assert importers("pydantic") == {"model/inventory/json_schema.py"}


@pytest.mark.parametrize("module", ["fabric", "paramiko"])
def test_fabric_and_paramiko_stay_in_remote_and_are_imported_late(module: str) -> None:
    assert {path.partition("/")[0] for path in importers(module)} == {"remote"}
    assert importers(module, top_level=True) == set()


def test_one_place_knows_the_engines_apart() -> None:
    """Defaults aside: whoever else asks which one it is should ask the engine instead."""
    naming, comparing = set(), set()
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and node.attr == "MP":
                naming.add(str(path.relative_to(ROOT / "orchestrator")))
            asked = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            asked += [node.subject] if isinstance(node, ast.Match) else []
            if any(isinstance(each, ast.Attribute) and each.attr == "engine" for each in asked):
                comparing.add(str(path))
    assert naming == {"plan/engine/__init__.py"}
    assert comparing == set()


def test_only_docker_names_a_docker_command() -> None:
    """Elsewhere in `plan`, a container is something that `docker` was asked for; scripts take the tool's name."""
    naming = {
        path.relative_to(ROOT / "orchestrator/plan").parts[0]
        for path in SOURCES
        if path.is_relative_to(ROOT / "orchestrator/plan")
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and ast.unparse(node).endswith("docker.command")
    }
    assert naming == {"docker", "scripts.py"}


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["up", "--help"],
        ["down", "--help"],
        ["status", "--help"],
        ["logs", "--help"],
        ["exec", "--help"],
        ["dashboard", "--help"],
    ],
)
def test_help_imports_nothing_that_only_work_needs(words: list[str]) -> None:
    told = f"import sys; sys.argv = ['raycluster', *{words}]\nfrom orchestrator.cli.app import main\n"
    told += "try: main()\nfinally: sys.stderr.write(' '.join(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(SLOW) & set(ran.stderr.split()) == set()


def test_what_only_a_chain_needs_is_not_imported_for_other_runs() -> None:
    asked = "import sys, orchestrator.cli.run.session; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"cryptography.x509", "orchestrator.remote.transfer.chain"} & set(ran.stdout.split()) == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_fits_in_a_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_what_is_tracked_is_text() -> None:
    """A package that was downloaded, or a core, comes along easily."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    files = [ROOT / name for name in tracked.split("\0") if name]
    assert [str(file) for file in files if file.is_file() and b"\0" in file.read_bytes()] == []
