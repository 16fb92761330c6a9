"""What only looks at a file, or at nothing, starts without what only connections and containers need."""

import subprocess
import sys

import pytest

from tests.bench.start import ROOT, forbidden

INVENTORY = str(ROOT / "inventory.example.yaml")


@pytest.mark.parametrize(
    "words",
    [("--help",), ("--version",), ("config", "check", INVENTORY)],
    ids=lambda words: " ".join(words[:2]),
)
def test_it_imports_neither_ssh_nor_docker(words: tuple[str, ...]) -> None:
    assert forbidden(words) == set()


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["--help"], {}),
        (["up", "--help"], {}),
        (["--version"], {}),
        ([], {"COMP_WORDS": "raycluster up --", "COMP_CWORD": "2", "_RAYCLUSTER_COMPLETE": "complete_bash"}),
    ],
)
def test_help_and_completion_do_not_wait_for_pydantic(words: list[str], env: dict[str, str]) -> None:
    told = f"import sys; sys.argv = ['raycluster', *{words}]\nfrom orchestrator.cli.app import main\n"
    told += "try: main()\nfinally: sys.stderr.write(' '.join(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert "typer" in ran.stderr.split()
    assert {"pydantic", "rich", "yaml", "orchestrator.model.cluster"} & set(ran.stderr.split()) == set()
