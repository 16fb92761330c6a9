"""Wrong command lines, made by a generator: each ends in a screen of plain words, with nobody contacted."""

import random
import shlex
from collections.abc import Callable, Iterator
from itertools import islice
from textwrap import wrap
from typing import Any

import pytest

from orchestrator.cli import habits
from orchestrator.cli.app import COMMANDS
from tests.cli.conftest import Raycluster
from tests.cli.test_help import ALL
from tests.remote.fakes import FakeFleet

EACH = 35
LINES, COLUMNS = 24, 80
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LEAVES = {path: command for path, command in ALL.items() if not hasattr(command, "commands")}
MODEL = "org/model"
NOISE = ("\x1b[31mred", "ends\nhere", "…é漢", "x" * 5000, "a b", "$(id)", "=", "%s", "\\", "-" * 40)

Make = Callable[[random.Random], list[str]]


def mutated(word: str, chance: random.Random) -> str:
    """A typo: a letter more, less, another, or two in the wrong order."""
    at = chance.randrange(len(word))
    letter = chance.choice(LETTERS)
    swapped = word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
    return chance.choice((word[:at] + word[at + 1 :], word[:at] + letter + word[at:], swapped, word + letter))


def options(path: tuple[str, ...]) -> dict[str, Any]:
    return {name: each for each in LEAVES[path].params for name in each.opts if name.startswith("-")}


def leaf(chance: random.Random, *wanted: str) -> tuple[str, ...]:
    """A command that has all of these options."""
    return chance.choice([path for path in LEAVES if set(wanted) <= options(path).keys()])


def started(path: tuple[str, ...]) -> list[str]:
    """What makes the line whole but for its mistake."""
    given = {("serve", "start"): [MODEL], ("exec",): [], ("add",): ["gpu9"], ("remove",): ["gpu2"]}
    return [*path, *given.get(path, [])]


def misspelled_command(chance: random.Random) -> list[str]:
    word = mutated(chance.choice([*COMMANDS]), chance)
    return misspelled_command(chance) if word in {*COMMANDS, "help", "version", ""} else [word]


def command_of_another_tool(chance: random.Random) -> list[str]:
    return [chance.choice([*habits.COMMANDS]), *chance.choice(([], ["gpu2"], ["-i", "my.yaml"], ["--all"]))]


def option_of_another_tool(chance: random.Random) -> list[str]:
    path = leaf(chance)
    known = [name for name in (*habits.OPTIONS, *habits.JSON, *habits.HOSTS) if name not in options(path)]
    option = chance.choice([name for name in known if name[:2] not in options(path)])
    return [*started(path), option, *chance.choice(([], ["gpu2"], ["5"]))]


def misspelled_option(chance: random.Random) -> list[str]:
    path = leaf(chance)
    long = [name for name in options(path) if name.startswith("--")] or ["--help"]
    word = "--" + mutated(chance.choice(long)[2:], chance)
    return misspelled_option(chance) if word in {*options(path), "--", "--help"} else [*started(path), word]


def wrong_value(chance: random.Random) -> list[str]:
    option, values = chance.choice(
        (("-j", ("x", "0", "-1", "1.5", "")), ("-o", ("wide", "yaml", "", "JSON")))
    )
    return [*leaf(chance, option), option, chance.choice(values)]


def word_too_many(chance: random.Random) -> list[str]:
    takes_file = [path for path in LEAVES if any(each.name == "inventory" for each in LEAVES[path].params)]
    path = chance.choice([*takes_file, ("config", "example"), ("ls",), ("shell",), ("serve", "status")])
    return [*path, "gpu1", "gpu2", *chance.choice(([], ["more"]))]


def host_where_the_inventory_belongs(chance: random.Random) -> list[str]:
    takes_file = [path for path in LEAVES if any(each.name == "inventory" for each in LEAVES[path].params)]
    return [*chance.choice(takes_file), chance.choice(("gpu1", "gpu2", "gpu9", "head", "gpu*"))]


def noise(chance: random.Random) -> list[str]:
    word = chance.choice(NOISE)
    return chance.choice(
        (
            [word],
            ["up", word, word],
            ["status", f"--{word}"],
            ["up", "-j", word],
            ["down", "-l", word],
            ["ps", word],
        )
    )


def pasted_from_a_page(chance: random.Random) -> list[str]:
    """Typography in the place of an option's dashes."""
    path = leaf(chance, "--inventory")
    option = chance.choice([name for name in options(path) if name.startswith("--")])
    dashes = chance.choice(("\N{EN DASH}", "\N{EM DASH}", "\N{EN DASH}-", "\N{MINUS SIGN}", "-\N{HYPHEN}"))
    return [*started(path), dashes + option[2:]]


def line_of_another_tool(chance: random.Random) -> list[str]:
    line = chance.choice(
        (
            *(
                "compose up -d",
                "kubectl get pods -A",
                "get nodes -o wide",
                "describe node gpu2",
                "apply -f my.yaml",
            ),
            *("delete pod gpu2", "rollout restart", "port-forward 8265", "scale --replicas=3", "app exec ls"),
            *(
                "all -m ping",
                "playbook site.yml",
                "-N 2 up",
                "srun -N 2 hostname",
                "squeue",
                "up --scale worker=3",
            ),
            *("down --volumes", "down -t 30", "logs -t", "run --rm gpu2 bash", "up --become", "up -dry-run"),
            *("serve --model org/model", "serve https://huggingface.co/org/model", "serve org/model extra"),
            *("init gpu1,gpu2", "init http://gpu1", "init gpu1:ssh", "shell gpu1 ls", "UP", "restart --hard"),
        )
    )
    return line.split()


def lines(make: Make) -> Iterator[list[str]]:
    chance = random.Random(make.__name__)
    while True:
        yield make(chance)


@pytest.mark.parametrize(
    "make",
    [
        misspelled_command,
        command_of_another_tool,
        option_of_another_tool,
        misspelled_option,
        wrong_value,
        word_too_many,
        host_where_the_inventory_belongs,
        pasted_from_a_page,
        line_of_another_tool,
        noise,
    ],
)
def test_a_wrong_line_ends_in_a_screen_of_plain_words(
    make: Make, hosts: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def examine(*_: object) -> None:
        raise AssertionError("a host was contacted")

    monkeypatch.setattr("orchestrator.remote.ssh.keyscan.examine", examine)
    for words in islice(lines(make), EACH):
        line = shlex.join(words)
        ran = raycluster(*words)
        assert (ran.exit_code, ran.stdout) == (2, ""), line
        assert ran.exception is None or isinstance(ran.exception, SystemExit), line
        assert sum(max(1, len(wrap(each, COLUMNS))) for each in ran.stderr.splitlines()) < LINES, line
        for leak in ("Traceback", "Usage:", "Value error", "Input should be", "No such", "\x1b", "Error:"):
            assert leak not in ran.stderr, line
        assert ran.stderr.strip(), line
    assert hosts.sent == []
