"""Reading a file: what YAML may be, and one clear mistake for what it may not."""

import io
import time
from pathlib import Path

import pytest

from orchestrator.model.inventory.mistakes import Fault, InventoryError, Position
from orchestrator.model.inventory.yaml_source import LARGEST, Source, from_text, read


def source(text: str) -> Source:
    found = from_text(text, "f")
    assert isinstance(found, Source)
    return found


def mistake(text: str) -> str:
    found = from_text(text, "f")
    assert isinstance(found, InventoryError)
    assert len(found.mistakes) == 1
    return str(found.mistakes[0])


def file_mistake(path: Path) -> str:
    found = read(str(path))
    assert isinstance(found, InventoryError)
    return str(found.mistakes[0]).removeprefix(str(path))


@pytest.mark.parametrize(
    "written", ["22:22", "on", "no", "0755", "3.10", "1e3", "0x10", "1_000", "2026-01-01", "true"]
)
def test_yaml_decides_no_types(written: str) -> None:
    assert source(f"a: {written}").data == {"a": written}


@pytest.mark.parametrize("written", ["", "~", "null", "Null"])
def test_only_null_is_nothing(written: str) -> None:
    assert source(f"a: {written}").data == {"a": None}


def test_a_quoted_null_is_text() -> None:
    assert source("a: 'null'\nb: '<<'\nc: <<").data == {"a": "null", "b": "<<", "c": "<<"}


def test_merge_keys_are_resolved_and_own_keys_win() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}"
    assert source(text).data == {
        "a": {"x": "1", "y": "1"},
        "b": {"y": "2", "z": "2"},
        "c": {"z": "2", "y": "1", "x": "3"},
    }


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xef\xbb\xbfa: 1")
    found = read(str(tmp_path / "f"))
    assert isinstance(found, Source)
    assert found.data == {"a": "1"}


def test_windows_line_ends_count_once() -> None:
    assert source("a: 1\r\nb: 2\r\n").values["b",] == Position("f", 2, 4)


def test_every_value_and_key_has_its_place() -> None:
    found = source("workers:\n  - host: a\n    ip: 1")
    assert found.values == {
        (): Position("f", 1, 1),
        ("workers",): Position("f", 2, 3),
        ("workers", 0): Position("f", 2, 5),
        ("workers", 0, "host"): Position("f", 2, 11),
        ("workers", 0, "ip"): Position("f", 3, 9),
    }
    assert found.keys["workers", 0, "ip"] == Position("f", 3, 5)


def test_what_is_not_in_the_file_is_placed_where_it_is_missing() -> None:
    assert source("a: 1\nb: {c: 1}").mistake(Fault(("b", "x", "y"), "m")).position == Position("f", 2, 4)


def test_a_merged_value_is_placed_where_it_is_written() -> None:
    assert source("a: &a\n  x: 1\nb: {<<: *a}").values["b", "x"] == Position("f", 2, 6)


def test_a_problem_shows_its_line_with_a_caret() -> None:
    text = source("a:\n  b: c").mistake(Fault(("a", "b"), "wrong")).text()
    assert text == "f:2:6: a.b: wrong\n    2 |   b: c\n      |      ^"


def test_the_caret_stands_right_after_wide_characters_and_tabs() -> None:
    text = '{模: "\t", b: c}'
    assert (
        source(text).mistake(Fault(("b",), "wrong")).text()
        == f"f:1:13: b: wrong\n    1 | {text}\n      |       \t      ^"
    )


def test_a_long_line_is_cut_around_the_caret() -> None:
    snippet = (
        source(f"a: {'x' * 500}\nb: [{'y, ' * 200} z]")
        .mistake(Fault(("b", 200), "wrong"))
        .text()
        .splitlines()
    )
    assert all(len(line) < 120 for line in snippet)
    assert snippet[1][snippet[2].index("^")] == "z"


EMPTY = "f:1:1: the file is empty; an inventory needs at least cluster, image and head"
TOO_MANY = "the file stands for more than 100,000 values, aliases included; is this an inventory?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", EMPTY),
        ("\n\n", EMPTY),
        ("# a comment\n", EMPTY),
        ("---\n", EMPTY),
        ("a:\n\tb: 1", "f:2:1: a tab cannot stand here; use spaces"),
        ("a:\u00a0b\nc: 1", "f:1:3: this is not a plain space, but looks like one; type it again"),
        ("a:\n  \u2013 {b: 1, c: 2}\n", 'f:2:3: an item of a list begins with "-", not with "\u2013"'),
        ("a:b\nc: 1", 'f:1:3: a ":" after a key needs a space'),
        (
            "a: {b: 1\nc: 2",
            "f:1:4: the bracket opened here is never closed, or a comma is missing before line 2",
        ),
        ("[gpu]\ngpu1 x=1", 'f:2:1: expected "key: value"'),
        ("a: b: c", 'f:1:5: there is a ":" too many; put quotes around a text that holds ": "'),
        ("a:\n  b: 1\n c: 1", "f:3:2: the indentation does not fit the lines above"),
        ("a: 1\nb\nc: 2", 'f:2:1: expected "key: value"'),
        ("a: @b", 'f:1:4: a text that starts with "@" needs quotes'),
        ("a: {b: gpu[1-2]}", 'f:1:11: inside { } and [ ], a text with brackets needs quotes: "gpu[2-9]"'),
        ("a: 1\n---\nb: 1", 'f:2:1: an inventory is one YAML document; remove the "---" and what follows'),
        ("a: *b", 'f:1:4: no anchor (&name) of this name above; a text that starts with "*" needs quotes'),
        ('x: 1\na: "b\nc: 1', "f:2:4: the quotes opened here are never closed"),
        ("a: &a [*a]", "f:1:4: an alias (*name) here stands for something that holds itself"),
        ("a: &a {<<: *a}", "f:1:4: an alias (*name) here stands for something that holds itself"),
        ("a:\n  <<: 1", 'f:2:7: "<<" merges a map, or a list of maps, such as "<<: *name"'),
        ("a: \x1b[31m", 'f:1:4: the character "\\x1b" is not allowed in YAML'),
        ('a: "\\UFFFFFFFF"', "f:1:7: is not valid YAML"),
        ("%YAML " + "9" * 5000 + ".1\n--- a", "f:1:7: is not valid YAML"),
        ("a: " + "[" * 60 + "]" * 60, "f:1:34: is nested too deeply"),
    ],
)
def test_what_is_no_inventory_is_one_problem(text: str, expected: str) -> None:
    assert mistake(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", 'f:3:1: a: duplicate key "a", first on line 1'),
        ("b: {c: 1, c: 2}", 'f:1:11: b.c: duplicate key "c", first on line 1'),
        ("? [a]\n: 1", "f:1:3: a key has to be plain text"),
        ("~: 1", "f:1:1: a key has to be plain text"),
        (
            "a: !!python/object:os.system x",
            'f:1:4: a: the tag "!!python/object:os.system" is not allowed; write the plain value',
        ),
        ("a: !vault [x]", 'f:1:4: a: the tag "!vault" is not allowed; write the plain value'),
        ("a: !!int 5", 'f:1:4: a: the tag "!!int" is not allowed; write the plain value'),
        ('a: "\\0"', 'f:1:4: a: the character "\\x00" cannot be sent to a host'),
        ('a: "\\ud800"', 'f:1:4: a: the character "\\ud800" cannot be sent to a host'),
    ],
)
def test_what_reading_can_get_past_is_noted(text: str, expected: str) -> None:
    assert [str(each) for each in source(text).mistakes] == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 {x: y}\n"
        + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)),
        "a0: &a0 {x: y}\n"
        + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 10)),
    ],
    ids=["lists", "merges"],
)
def test_aliases_that_multiply_are_bounded(text: str) -> None:
    assert mistake(text).endswith(TOO_MANY)


@pytest.mark.parametrize("text", ["[" * 500_000, "- " * 500_000, "? " * 500_000, "{a: " * 200_000])
def test_endless_nesting_ends_soon(text: str) -> None:
    assert mistake(text).endswith("is nested too deeply")


def test_a_missing_file(tmp_path: Path) -> None:
    assert file_mistake(tmp_path / "no.yaml") == ": there is no such file"


@pytest.mark.parametrize("there", ["lab.yaml", "lab2.yml", "lba.yml"])
def test_a_missing_file_beside_one_of_nearly_its_name(tmp_path: Path, there: str) -> None:
    (tmp_path / there).touch()
    (tmp_path / "lab.txt").touch()
    assert file_mistake(tmp_path / "lab.yml") == f": there is no such file; did you mean {tmp_path / there}?"


def test_a_directory(tmp_path: Path) -> None:
    assert file_mistake(tmp_path) == ": is a directory, not a file"


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert file_mistake(tmp_path / "f") == ": permission denied"


def test_a_name_no_file_can_have() -> None:
    found = read("a\0b")
    assert isinstance(found, InventoryError)
    assert found.mistakes[0].message == "is not the name of a file"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x7fELF\x02\0\0", ": is a binary file, or UTF-16; an inventory is YAML text in UTF-8"),
        ("a: 1".encode("utf-16"), ": is a binary file, or UTF-16; an inventory is YAML text in UTF-8"),
        (b"a: 1\nb: caf\xe9", ":2:7: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"\xef\xbb\xbfa: 1\nb: caf\xe9", ":2:7: byte 0xe9 is not UTF-8; save the file as UTF-8"),
    ],
)
def test_what_is_no_text(content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(content)
    assert file_mistake(tmp_path / "f") == expected


def test_a_huge_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"a: b\n" * (LARGEST * 2))
    start = time.monotonic()
    assert file_mistake(tmp_path / "f") == ": is larger than 1 MB; is this an inventory?"
    assert time.monotonic() - start < 1


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a: @")))
    found = read("-")
    assert isinstance(found, InventoryError)
    assert str(found.mistakes[0].position) == "<stdin>:1:4"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("cluster: demo\nimage raylab:latest\naccelerator: none\n", "2:1"),
        ("cluster: demo\nhead:\n  host gpu1\n  ip: 10.0.0.1\n", "3:3"),
        ("cluster: demo\nimage\nhead: {host: gpu1}\n", "2:1"),
        ("cluster: demo\nimage", "2:1"),
    ],
)
def test_a_missing_colon_is_blamed_on_its_own_line(text: str, where: str) -> None:
    found = from_text(text, "file")
    assert isinstance(found, InventoryError)
    assert str(found.mistakes[0]) == f'file:{where}: expected "key: value"'
