"""What a shell is offered for a word half typed, as it asks for it."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.output.json import SCHEMAS
from tests.test_architecture import ROOT, SLOW

OTHER = """\
cluster: other
image: vllm
network: 10.0.0.0/24
head: {host: node1}
workers: [{host: "node[2-3]"}]
"""


def asked(shell: str, line: str) -> dict[str, str]:
    """How a shell asks, by what is in its environment: the cursor stands at the end of the line."""
    if shell == "bash":
        where = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    else:
        where = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    return {"_RAYCLUSTER_COMPLETE": f"complete_{shell}", **where}


def completed(line: str, shell: str = "bash") -> str:
    told = CliRunner().invoke(app, prog_name="raycluster", env=asked(shell, line))
    assert (told.exit_code, told.stderr) == (0, "")
    return told.stdout.strip()


@pytest.fixture(autouse=True)
def other(folder: Path) -> None:
    (folder / "other.yaml").write_text(OTHER)


@pytest.mark.parametrize(
    "line",
    [
        "raycluster up other.yaml -l ",
        "raycluster up -v other.yaml --limit ",
        "raycluster down -i other.yaml -l ",
        "raycluster trust other.yaml --limit ",
        "raycluster exec -i other.yaml -l ",
        "raycluster shell -i other.yaml ",
        "raycluster logs -i other.yaml ",
        "raycluster restart -i other.yaml ",
        "raycluster image copy -i other.yaml --from ",
    ],
)
def test_the_hosts_of_the_inventory_that_the_line_names_are_offered(line: str) -> None:
    assert completed(line).split() == ["head", "workers", "node1", "node2", "node3"]


def test_else_they_are_those_of_the_environment_and_else_of_the_usual_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert completed("raycluster up -l g").split() == ["gpu1", "gpu2"]
    monkeypatch.setenv("RAYCLUSTER_INVENTORY", "other.yaml")
    assert completed("raycluster up -l n").split() == ["node1", "node2", "node3"]


@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        ("gpu1,g", ["gpu1,gpu2"]),
        ("gpu1,gpu2,g", [""]),
        ("head,w", ["head,workers"]),
        ("!gpu", ["!gpu1", "!gpu2"]),
        ("workers,!g", ["workers,!gpu1", "workers,!gpu2"]),
        ("x", [""]),
    ],
)
def test_several_hosts_come_one_after_the_other(begun: str, offered: list[str]) -> None:
    assert completed(f"raycluster up -l {begun}").split("\n") == offered


def test_a_head_alone_has_no_workers_to_offer(folder: Path) -> None:
    (folder / "inventory.yaml").write_text("cluster: demo\nimage: vllm\nhead: {host: gpu1, ip: 10.0.0.1}\n")
    assert completed("raycluster up -l ").split() == ["head", "gpu1"]


@pytest.mark.parametrize("file", ["", "cluster: [", "cluster: demo\n", "\0"])
@pytest.mark.parametrize(
    "line", ["up -l ", "up nowhere.yaml -l ", "up . -l ", "up - -l ", "up ~nobody/x -l "]
)
def test_nothing_is_offered_and_nothing_said_where_there_is_no_sound_inventory(
    folder: Path, file: str, line: str
) -> None:
    (folder / "inventory.yaml").write_text(file)
    assert completed(f"raycluster {line}") == ""


@pytest.mark.parametrize(
    ("shell", "offered"),
    [("bash", "gpu2"), ("zsh", """_arguments '*: :(("gpu2":"worker"))'"""), ("fish", "gpu2\tworker")],
)
def test_each_shell_is_told_in_its_own_way(shell: str, offered: str) -> None:
    assert completed("raycluster up -l gpu2", shell) == offered


def test_commands_and_options_are_offered() -> None:
    assert completed("raycluster st") == "status"
    assert completed("raycluster up --roll") == "--rollback"


def test_an_output_is_offered_where_the_command_has_it() -> None:
    assert completed("raycluster check -o ").split() == ["text", "json"]
    assert completed("raycluster pull -o ").split() == ["text", "jsonl"]
    assert completed("raycluster up -o ").split() == ["text", "sh", "jsonl"]


def test_an_inventory_is_left_to_the_shell_which_knows_the_files() -> None:
    assert completed("raycluster up inv") == ""
    assert completed("raycluster up -i inv") == ""
    assert completed("raycluster up inv", "zsh") == "_files"


def test_nothing_is_imported_that_only_work_needs() -> None:
    program = "import sys\nfrom orchestrator.cli.app import main\n"
    program += "try: main()\nfinally: sys.stderr.write(' '.join(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT), **asked("bash", "raycluster up -l g")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["gpu1", "gpu2"]
    assert {name for name in ran.stderr.split() if name in SLOW} == set()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("serve ", ["Qwen/Qwen3-32B", "status", "logs", "stop"]),
        ("serve s", ["status", "stop"]),
        ("serve Q", ["Qwen/Qwen3-32B"]),
        ("config schema s", ["status", "serve"]),
        ("lock ", ["status", "release"]),
        ("config ", ["show", "check", "example", "schema"]),
        ("image ", ["copy"]),
        ("remove n", ["node1", "node2", "node3"]),
        ("status -l n", ["node1", "node2", "node3"]),
        ("check -l workers,n", ["workers,node1", "workers,node2", "workers,node3"]),
        ("config show -l h", ["head"]),
        ("metrics -l h", ["head"]),
        ("serve logs -l h", ["head"]),
        ("-i other.yaml down -l node1", ["node1"]),
    ],
)
def test_words_after_a_command_are_offered_too(line: str, offered: list[str], folder: Path) -> None:
    (folder / "inventory.yaml").write_text(f"{OTHER}serve: {{model: Qwen/Qwen3-32B}}\n")
    assert completed(f"raycluster {line}").split("\n") == offered


def test_every_schema_is_offered() -> None:
    assert set(completed("raycluster config schema ").split()) == {"inventory", *SCHEMAS}


def test_an_inventory_that_takes_yaml_to_read_is_completed_all_the_same(folder: Path) -> None:
    (folder / "inventory.yaml").write_text(OTHER.replace("{host: node1}", "&one {host: node1}"))
    assert completed("raycluster up -l node1") == "node1"
