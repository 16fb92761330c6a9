"""Whatever is printed, only Rich's own codes reach the terminal."""

import re
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.cli.output.console import Screen, printable

STYLING = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = (
    *("\x1b[2J", "\x1b]0;owned\x07", "\x1b]8;;http://a\x1b\\", "\x1bPq\x1b\\", "\x9b31m", "\x9d0;x\x9c"),
    *(
        "\b\b\bok",
        "\rall is well",
        "\x7f",
        "\0",
        "\u202egnp.exe",
        "\u2066x\u2069",
        "\u200b",
        "\u2028",
        "\x85",
    ),
)


def harmless(written: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in STYLING.sub("", written))


def drawn(renderable: RenderableType, **options: object) -> str:
    file = StringIO()
    Screen(
        file=file, force_terminal=True, width=200, highlight=False, markup=False, color_system="standard"
    ).print(renderable, **options)  # type: ignore[arg-type]
    return file.getvalue()


def in_a_table(text: str) -> Table:
    table = Table(text, title=text, caption=text)
    table.add_row(text)
    table.add_row(Text(text, "bold red"))
    return table


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_steers_the_terminal(text: str) -> None:
    for renderable in (text, Text(text), Text.assemble("a ", (text, "red")), in_a_table(text)):
        assert harmless(drawn(renderable))
        assert harmless(drawn(renderable, style="yellow"))


@given(st.text(st.characters(codec="utf-8"), max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_is_harmless(text: str) -> None:
    assert harmless(drawn(in_a_table(text)))


def test_what_a_terminal_would_obey_is_shown() -> None:
    assert drawn("a\x1b[2Jb\rc\u202ed") == "a\\x1b[2Jb\\rc\\u202ed\n"


def test_a_table_has_room_for_what_it_shows() -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("\x1b\x1b\x1b")
    assert drawn(table).rstrip() == r"\x1b\x1b\x1b"


def test_richs_own_styling_still_works() -> None:
    assert drawn(Text("good", "bold green")) == "\x1b[1;32mgood\x1b[0m\n"


def test_plain_words_in_any_script_stay_as_they_are() -> None:
    text = "gpu1: Zürich 東京 🚀 \N{MULTIPLICATION SIGN} 2\n\tindented"
    assert printable(text) == text
