"""The help as a whole: commands that were written apart speak with one voice."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from orchestrator.cli.app import COMMANDS, app


def commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in getattr(group, "commands", ()):
        command = group.get_command(None, name)
        yield (*path, name), command
        yield from commands(command, *path, name)


ALL = dict(commands(typer.main.get_command(app)))


def told(*path: str) -> str:
    return CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80"}).stdout


def listed_commands() -> list[str]:
    return told().partition("Commands:\n")[2].partition("\n\n")[0].splitlines()


def options() -> Iterator[tuple[tuple[str, ...], list[str]]]:
    return ((path, each.opts) for path, command in ALL.items() for each in getattr(command, "params", ()))


def test_the_commands_stand_in_the_order_in_which_they_are_used() -> None:
    listed = listed_commands()
    assert [line.split()[0] for line in listed] == [
        *("init", "trust", "check", "up", "status", "logs", "serve", "exec", "shell", "dashboard", "metrics"),
        *("restart", "down", "pull", "image", "model", "ls", "add", "remove", "lock", "config"),
    ]


def test_the_program_alone_says_where_to_start_on_one_screen() -> None:
    ran = CliRunner().invoke(app, [], env={"COLUMNS": "80"})
    lines = ran.output.splitlines()
    assert lines[1].startswith("Start here: raycluster init HOST")
    assert [line.split()[0] for line in lines[3:]] == list(COMMANDS)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


def test_the_help_has_the_commands_first_and_the_exit_codes_last() -> None:
    titles = [line for line in told().splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Commands:", "Options:", "Exit codes:"]


def test_the_list_says_of_each_command_what_its_own_help_begins_with() -> None:
    listed = [" ".join(line.split()) for line in listed_commands()]
    assert listed == [f"{name} {ALL[name,].get_short_help_str(80)}" for name in COMMANDS]


@pytest.mark.parametrize(
    "group", [(), *(path for path, command in ALL.items() if hasattr(command, "commands"))]
)
def test_what_a_command_is_for_fits_into_its_line(group: tuple[str, ...]) -> None:
    assert "..." not in told(*group).partition("Commands:\n")[2]


def test_an_option_has_the_same_letter_everywhere_and_a_letter_the_same_option() -> None:
    longs, shorts = defaultdict(set), defaultdict(set)
    for _, names in options():
        long = next((name for name in names if name.startswith("--")), None)
        short = next((name for name in names if len(name) == 2 and name.startswith("-")), None)
        if long:
            longs[long].add(short)
        if short:
            shorts[short].add(long)
    assert {name: letters for name, letters in longs.items() if len(letters) > 1} == {}
    assert {letter: names for letter, names in shorts.items() if len(names) > 1} == {}


@pytest.mark.parametrize(
    "path",
    [
        path
        for path, names in options()
        if "--inventory" in names and path[0] not in ("init", "add", "remove")
    ],
)
def test_only_where_an_argument_may_name_the_inventory_it_is_spoken_of(path: tuple[str, ...]) -> None:
    text = " ".join(told(*path).split())
    assert ("INVENTORY <str>" in text) is ("where it is not given as an argument" in text)
    assert "- is standard input" in text
