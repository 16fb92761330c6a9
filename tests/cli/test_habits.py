"""What one types by habit is understood, or answered in one line with what it is called here."""

import re
import shlex
from pathlib import Path

import pytest

from orchestrator.cli import habits
from orchestrator.cli.app import COMMANDS
from orchestrator.cli.run import prompt
from tests.cli.conftest import Raycluster
from tests.cli.test_help import ALL
from tests.remote.fakes import FakeFleet


def meant(raycluster: Raycluster, hosts: FakeFleet, *words: str) -> str:
    """The line that a wrong one is answered with: one line, exit code 2, and nobody was contacted."""
    ran = raycluster(*words)
    assert (ran.exit_code, ran.stdout, hosts.sent) == (2, "", [])
    assert ran.stderr.count("\n") == 1
    return ran.stderr.partition(" → ")[2].rstrip()


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("ps", "raycluster status"),
        ("list", "raycluster ls"),
        ("stop", "raycluster down"),
        ("start", "raycluster up"),
        ("kill", "raycluster down"),
        ("rm gpu2", "raycluster remove gpu2"),
        ("destroy -y my.yaml", "raycluster down -y my.yaml"),
        ("stop gpu2 -j 4", "raycluster down -l gpu2 -j 4"),
        ("ps -a", "raycluster status"),  # where an option is not ours, nothing is carried over
        ("run nvidia-smi -L", "raycluster exec -- nvidia-smi -L"),
        ("run", "raycluster exec -- COMMAND"),
        ("ssh gpu2", "raycluster shell gpu2"),
        ("top", "raycluster status --watch"),
        ("doctor", "raycluster check"),
        ("validate 'my file.yaml'", "raycluster config check 'my file.yaml'"),
        ("statsu", "raycluster status"),
        ("config validate", "raycluster config check"),
        ("lock break -y", "raycluster lock release -y"),
        ("apply -f my.yaml", "raycluster up -i my.yaml"),
        ("get pods -o wide", "raycluster status"),
        ("delete pod gpu2 gpu3", "raycluster down -l gpu2,gpu3"),
        ("run --rm gpu2 bash", "raycluster exec -- COMMAND"),
        ("UP", "raycluster up"),
        ("-i my.yaml ps", "raycluster status -i my.yaml"),
        ("-i my.yaml all -m ping", "raycluster -h lists them"),
        ("sudo", "raycluster -h lists them"),
        ("join", "raycluster add HOST"),
        ("scale 3", "raycluster add HOST"),  # how many is not which
        ("scale gpu9", "raycluster add gpu9"),
        ("health", "raycluster status"),
        ("events", "raycluster status --watch"),
        ("push", "raycluster image copy"),
        ("confi", "raycluster config -h"),
    ],
)
def test_a_command_of_another_tool_is_answered_with_ours(
    typed: str, line: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    assert meant(raycluster, hosts, *shlex.split(typed)) == line


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("up -V", "raycluster --version"),
        ("up -f my.yaml", "raycluster up -i my.yaml"),
        ("status --json", "raycluster status -o json"),
        ("up --json", "raycluster up -o jsonl"),
        ("down --host gpu2", "raycluster down -l gpu2"),
        ("down --host=gpu2", "raycluster down -l gpu2"),
        ("check --no-color", "NO_COLOR=1 raycluster check"),
        ("status --tail 5", "raycluster logs -n N"),
        ("check --no-ansi -v", "NO_COLOR=1 raycluster check -v"),
        ("up my.yaml --force", "raycluster up my.yaml -y"),
        ("add --file my.yaml gpu9", "raycluster add -i my.yaml gpu9"),
        ("exec -it gpu2 bash", "raycluster shell gpu2"),
        ("exec -ti gpu2", "raycluster shell gpu2"),
        ("init --cluster lab gpu1", "raycluster init --name lab gpu1"),
        ("init -o my.yaml gpu1", "raycluster init -i my.yaml gpu1"),
        ("up --dryrun", "raycluster up --dry-run"),
        ("up --lmit gpu2", "raycluster up --limit gpu2"),
        ("up --nonsense", "raycluster up -h lists them"),
        ("serve Qwen/Qwen3-32B --json", "raycluster serve Qwen/Qwen3-32B -o jsonl"),
        ("up -dry-run", "raycluster up --dry-run"),
        ("down -t 30", habits.TIMEOUTS.replace("{command}", "raycluster down")),
        ("logs -t", "raycluster logs -h lists them"),
        ("logs -c vllm gpu2", "raycluster logs -h lists them"),
        ("exec -u root -- ls", "raycluster exec -h lists them"),
        ("dashboard -p 8265", "raycluster dashboard --port 8265"),
        ("shell -c ls", "for a command there is: raycluster exec -- COMMAND"),
        ("serve --model Qwen/Qwen3-32B", "raycluster serve Qwen/Qwen3-32B"),
        ("-l gpu2 down", "options go after the command: raycluster down -l gpu2"),
        ("--json status", "raycluster status -o json"),
        ("--no-color status", "NO_COLOR=1 raycluster status"),
        ("up -i", "raycluster up -h"),
    ],
)
def test_an_option_of_another_tool_is_answered_with_ours(
    typed: str, line: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    assert meant(raycluster, hosts, *shlex.split(typed)) == line


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("up \N{EN DASH}-dry-run", "raycluster up --dry-run"),
        ("up \N{EM DASH}dry-run", "raycluster up --dry-run"),
        ("status \N{MINUS SIGN}l gpu2", "raycluster status -l gpu2"),
        ("down -\N{HYPHEN}yes", "raycluster down --yes"),
        ("exec \N{EN DASH}l gpu2 -- echo \N{EN DASH}", "raycluster exec -l gpu2 -- echo '\N{EN DASH}'"),
    ],
)
def test_a_dash_of_a_web_page_is_told(
    typed: str, line: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    assert meant(raycluster, hosts, *shlex.split(typed)) == line


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (
            "https://huggingface.co/Qwen/Qwen3-32B",
            "a model is named ORG/NAME, without an address: raycluster serve Qwen/Qwen3-32B\n",
        ),
        (
            "hf://Qwen/Qwen3-32B",
            "a model is named ORG/NAME, without an address: raycluster serve Qwen/Qwen3-32B\n",
        ),
        (
            "https://huggingface.co/Qwen/Qwen3-32B/tree/v1?x=y",
            "a model is named ORG/NAME, without an address: "
            "raycluster serve Qwen/Qwen3-32B -- --revision v1\n",
        ),
        (
            "huggingface.co/Qwen/Qwen3-32B/tree/main",
            "a model is named ORG/NAME, without an address: raycluster serve Qwen/Qwen3-32B\n",
        ),
        ("https://example.com", "a model is named ORG/NAME, without an address: raycluster serve MODEL\n"),
        (
            "Qwen/Qwen3-32B extra",
            '"extra" is too much: after MODEL come options of vLLM, as in -- --max-model-len 32768; '
            "without it: raycluster serve Qwen/Qwen3-32B\n",
        ),
        (
            "gpt2 one two --plan",
            '"one" is too much: after MODEL come options of vLLM, as in -- --max-model-len 32768; '
            "without it: raycluster serve -y gpt2 --plan\n",
        ),
        (
            "https://huggingface.co/Qwen/Qwen3-32B extra",
            "a model is named ORG/NAME, without an address: raycluster serve Qwen/Qwen3-32B\n",
        ),
    ],
)
def test_what_no_model_is_called_is_not_served(
    typed: str, line: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster("serve", *typed.split())
    assert (ran.exit_code, ran.stdout, ran.stderr, hosts.sent) == (2, "", line, [])


@pytest.mark.parametrize("option", ["-t", "-q", "-d", "--wait", "--timeout", "--profile", "--image"])
def test_so_is_one_that_nothing_here_is_called_by(
    option: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    assert not re.fullmatch(r"raycluster up (--\w+|-h lists them)", meant(raycluster, hosts, "up", option))


def test_every_line_of_the_table_names_a_command_of_ours() -> None:
    assert set(habits.COMMANDS) & set(COMMANDS) == set()
    assert {line.split()[0] for line in habits.COMMANDS.values()} <= set(COMMANDS)
    for group, words in habits.IN_GROUPS.items():
        known = {path[1] for path in ALL if path[:1] == (group,) and len(path) > 1}
        assert known & set(words) == set()
        assert {line.split(",")[0] for line in words.values() if line} <= known


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("version",), "raycluster "),
        (("-V",), "raycluster "),
        (("help",), "Usage: raycluster [OPTIONS] COMMAND"),
        (("help", "up"), "Usage: raycluster up "),
        (("help", "lock", "release"), "Usage: raycluster lock release "),
    ],
)
def test_help_and_version_are_commands_too(words: tuple[str], shown: str, raycluster: Raycluster) -> None:
    ran = raycluster(*words)
    assert (ran.exit_code, ran.stdout[: len(shown)]) == (0, shown)


@pytest.mark.parametrize(
    "words",
    [
        "-i other.yaml config check",
        "-iother.yaml config check",
        "--inventory other.yaml config check",
        "config check -i other.yaml",
    ],
)
def test_the_inventory_may_be_named_before_the_command(
    words: str, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").rename(folder / "other.yaml")
    assert raycluster(*words.split()).stdout == "other.yaml: good: cluster demo, 1 head and 1 worker\n"


def test_so_may_how_much_is_shown(hosts: FakeFleet, raycluster: Raycluster) -> None:
    assert "$ docker run" in raycluster("-v", "up").stderr
    assert hosts.sent


@pytest.mark.parametrize("command", ["up", "down", "restart"])
def test_what_changes_the_cluster_takes_a_yes(command: str, hosts: FakeFleet, raycluster: Raycluster) -> None:
    assert raycluster(command, "-y", "--dry-run").exit_code == 0
    assert hosts.sent


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("ps", '"ps" is neither ORG/NAME nor a folder → `raycluster serve status`; if it is a model: '),
        ("list", '"list" is neither ORG/NAME nor a folder → `raycluster serve status`; if it is a model: '),
        ("statu", '"statu" is neither ORG/NAME nor a folder → `raycluster serve status`; if it is a model: '),
        (
            "restart",
            '"restart" is neither ORG/NAME nor a folder → raycluster serve stop, then raycluster serve; ',
        ),
        ("gpt2", '"gpt2" is neither ORG/NAME nor a folder; if it is a model: '),
    ],
)
def test_a_bare_word_is_no_model_unless_that_is_said(
    word: str, line: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster("serve", word)
    assert (ran.exit_code, ran.stdout, hosts.sent) == (2, "", [])
    assert ran.stderr.startswith(line)
    assert ran.stderr.endswith(f": raycluster serve -y {word}\n")
    for all_the_same in (("-y", word), (f"./{word}",)):
        assert raycluster("serve", *all_the_same).exit_code == 1  # nothing is up that could serve it
    assert hosts.sent


def test_on_a_terminal_it_is_asked_for(
    hosts: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt, "somebody_there", lambda: True)
    ran = raycluster("serve", "ps", stdin="n\n")
    assert (ran.exit_code, hosts.sent) == (1, [])
    assert (
        'Serve a model called "ps"? Or was meant → `raycluster serve status`? [y/N] nothing was done'
        in ran.stderr
    )


def test_the_word_of_the_help_is_answered_with_a_name(hosts: FakeFleet, raycluster: Raycluster) -> None:
    ran = raycluster("serve", "MODEL")
    assert (ran.exit_code, hosts.sent) == (2, [])
    assert ran.stderr == "MODEL stands for the name of one: raycluster serve Qwen/Qwen3-32B\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("up -j x", '--jobs: should be a whole number, at least 1, not "x"'),
        ("up -j 0", '--jobs: should be a whole number, at least 1, not "0"'),
        ("dashboard --port 99999", '--port: should be a whole number from 1 to 65535, not "99999"'),
        ("status -o wide", '--output: should be one of text, json, jsonl, not "wide"'),
        (
            "status -o jason",
            '--output: should be one of text, json, jsonl, not "jason"; did you mean "json"?',
        ),
        ("exec", "raycluster exec: COMMAND is missing → raycluster exec -h"),
        ("shell a b", "raycluster shell takes no command → raycluster exec -l a -- b"),
        ("logs -n x", '-n: "x" is neither a number of lines nor all'),
    ],
)
def test_a_wrong_value_is_said_in_plain_words(
    typed: str, said: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster(*typed.split())
    assert (ran.exit_code, ran.stderr, hosts.sent) == (2, f"{said}\n", [])
