"""What only looks at a file, or at nothing, starts without what only connections and containers need."""

import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "latin-1"])
def test_what_the_encoding_of_a_terminal_does_not_have_ends_nothing(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "inventory.yaml"
    file.write_text("cluster: d\nimage: a/b\nhead: {host: gpu1, ip: 10.0.0.1}\nenv: {A: \u2717}\n", "utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "orchestrator", "config", "show", str(file)],
        cwd=ROOT,
        env={"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"env.A                ? " in ran.stdout


def test_an_option_that_takes_no_value_is_told_as_such() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "orchestrator", "status", "--watch=5"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr.decode()) == (
        2,
        "--watch takes no value; write it alone, or leave it out\n",
    )


@pytest.mark.parametrize("env", [{}, {"COMP_WORDS": "raycluster up -l ", "COMP_CWORD": "3"}])
def test_ctrl_c_before_the_work_begins_ends_it_without_a_word(env: dict[str, str], tmp_path: Path) -> None:
    """Wherever in the start it comes: the program is held up in one of its imports."""
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    completing = {"_RAYCLUSTER_COMPLETE": "complete_bash"} if env else {}
    # Whoever runs the tests in the background may have it ignored.
    heard = ["/usr/bin/env", "--default-signal=INT", sys.executable]
    ran = subprocess.run(
        [*heard, "-m", "orchestrator", "--version"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", **env, **completing},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, b"", b"")


def test_a_ctrl_c_that_is_ignored_stays_ignored() -> None:
    """As that of a shell's background job is."""
    told = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    told += "from orchestrator.cli.start import main\nsys.argv = ['raycluster', '--version']\n"
    told += "try: main()\nfinally: print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    ran = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "True"
