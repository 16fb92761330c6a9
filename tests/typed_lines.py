"""Every line that the program prints for a person to type is one that it takes, about the inventory it was given."""

import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from orchestrator.cli.app import app
from orchestrator.plan.typed import Caller, shown

QUOTED = re.compile(r"(?<!has run )`(raycluster [^`\n]+)`")
ALONE = re.compile(
    r"(?:→ |: |\": \"|^ *)(raycluster [a-z-]+\b(?!:)[^`\n\"→]*?)(?= lists them|    |\"|,? *$)", re.MULTILINE
)
PAINT = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
NO_LINES = re.compile(r"^Usage: |\"\$schema\": ", re.MULTILINE)  # pages on the program itself
MARK = re.compile(r"(\x02|\\x02|\\u0002)(all)?(ours|limited|exec|there|change|add|where)")
ABOUT_NO_INVENTORY = ("init", "config", "ls")


def assert_typeable(output: str, called_with: Iterable[str | Path]) -> None:
    """Every line in what the program has printed when it was called with these words."""
    assert not MARK.search(output), "a mark is left in what is printed"
    words = [str(word) for word in called_with]
    given = _inventory(parsed(words))
    if words[:1] == ["init"] and given in ("inventory.yaml", "-"):
        given = ""  # what the usual lines are about, or no file at all
    is_file = given == "-" or "/" in given or given.endswith((".yaml", ".yml"))  # and no host in its place
    for line in () if NO_LINES.search(output) else printed_lines(PAINT.sub("", output)):
        words = shlex.split(line)[1:]
        if words[-1] == "-h" or words[-1].startswith("--"):
            continue  # a page of help, or the name of an option
        context = parsed(words)
        assert context is not None, f"the program does not take the line that it printed: {line}"
        if words[0] not in ABOUT_NO_INVENTORY and is_file:
            assert _inventory(context) == given, f"lacks the inventory {given}: {line}"


def plainly(text: str) -> str:
    """A text as it is shown to who has no inventory, about no host."""
    return shown(text, (), Caller())


def printed_lines(output: str) -> Iterator[str]:
    """The lines of raycluster's own, those in backticks and those that stand alone, also where one is folded."""
    output = re.sub(r" \\\n *", " ", output)
    for pattern in (QUOTED, ALONE):
        yield from (found[1].strip() for found in pattern.finditer(output))


def parsed(words: list[str]) -> Any:
    """What the real command line makes of the words, running nothing; None where it does not take them."""
    command: Any = typer.main.get_command(app)
    context: Any = None
    name: Any = "raycluster"
    with suppress(Exception, SystemExit):  # as the program itself ends, where it does not take them
        while True:
            context = command.make_context(name, list(words), parent=context)
            if not isinstance(command, TyperGroup):
                return context
            rest = [*context._protected_args, *context.args]  # noqa: SLF001 - as Click's own `invoke` has it
            name, command, words = command.resolve_command(context, rest)
    return None


def _inventory(context: Any) -> str:
    """The inventory that a command line names, in either way."""
    if context is None:
        return ""
    return context.params.get("inventory") or context.params.get("file") or ""
