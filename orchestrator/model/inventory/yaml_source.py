"""YAML text → plain data, and where each part of it stands in the file.

YAML decides no types here: every scalar stays the text the user wrote, and the inventory's models parse
it. So `on`, `22:22`, `0755` and `3.10` arrive unchanged; only null and merge keys are resolved.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path as FilePath

import yaml

from orchestrator.model.inventory.mistakes import (
    Fault,
    InventoryError,
    Mistake,
    Path,
    Position,
    dotted,
    quoted,
)
from orchestrator.model.inventory.yaml_nodes import Tree, UnreadableError, compose

LARGEST = 1_000_000  # bytes; a thousand hosts written one by one take a tenth of it

_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_YAML_ERRORS = {
    r"character '\t'": "a tab cannot stand here; use spaces",
    "mapping values are not allowed": 'there is a ":" too many; put quotes around a text that holds ": "',
    "<block end>": "the indentation does not fit the lines above",
    "could not find expected ':'": 'expected "key: value"',
    "another document": 'an inventory is one YAML document; remove the "---" and what follows',
    "undefined alias": 'no anchor (&name) of this name above; a text that starts with "*" needs quotes',
    "but got '['": 'inside { } and [ ], a text with brackets needs quotes: "gpu[2-9]"',
    "scanning a quoted scalar": "the quotes opened here are never closed",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A file's data, with a position for every path in it.

    `mistakes` are those that reading could get past, such as duplicate keys.
    """

    file: str
    lines: tuple[str, ...]
    data: object
    values: dict[Path, Position]
    keys: dict[Path, Position]
    mistakes: tuple[Mistake, ...] = ()

    def mistake(self, fault: Fault) -> Mistake:
        position = self._position(fault.path, self.keys if fault.at_key else self.values)
        return Mistake(position, dotted(fault.path), fault.message, _line(self.lines, position))

    def _position(self, path: Path, positions: dict[Path, Position]) -> Position:
        """Where the path stands; what is not in the file, where its surroundings do."""
        while path and path not in positions:
            path, positions = path[:-1], self.values
        return positions.get(path, Position(self.file, 1, 1))


def read(path: str) -> Source | InventoryError:
    """Read a file; `-` is standard input."""
    file = "<stdin>" if path == "-" else path
    try:
        raw = _content(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return _unreadable(Position(file), _file_error(error))
    if len(raw) > LARGEST:
        return _unreadable(Position(file), f"is larger than {LARGEST // 1_000_000} MB; this is no inventory")
    if b"\0" in raw or raw.startswith(_BYTE_ORDER_MARKS):
        return _unreadable(Position(file), "is a binary file, or UTF-16; an inventory is YAML text in UTF-8")
    try:
        return from_text(raw.decode("utf-8-sig"), file)
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        return _unreadable(_end_of(before, file), message, before.split("\n")[-1])


def from_text(text: str, file: str) -> Source | InventoryError:
    """The data of a YAML text; one mistake where it is no YAML that an inventory may be."""
    lines = tuple(text.splitlines())
    tree = Tree(file)
    try:
        data = tree.data(compose(text, file))
    except UnreadableError as error:
        return _unreadable(error.position, error.message, _line(lines, error.position))
    except yaml.reader.ReaderError as error:
        position = _end_of(text[: error.position], file)
        message = f"the character {quoted(text[error.position])} is not allowed in YAML"
        return _unreadable(position, message, _line(lines, position))
    except yaml.MarkedYAMLError as error:
        position = _marked(error, file)
        return _unreadable(position, _yaml_error(error), _line(lines, position))
    mistakes = tuple(
        Mistake(position, dotted(path), message, _line(lines, position))
        for position, path, message in tree.faults
    )
    return Source(file, lines, data, tree.values, tree.keys, mistakes)


def _content(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read(LARGEST + 1)
    with FilePath(path).open("rb") as file:
        return file.read(LARGEST + 1)


def _file_error(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case IsADirectoryError():
            return "is a directory, not a file"
        case PermissionError():
            return "permission denied"
        case OSError(strerror=str(reason)):
            return f"cannot be read: {reason}"
        case _:
            return "is not the name of a file"


def _yaml_error(error: yaml.MarkedYAMLError) -> str:
    said = f"{error.context} {error.problem}"
    if first := re.search("character '([^\\\\])' that cannot start any token", said):
        return f"a text that starts with {quoted(first[1])} needs quotes"
    known = (message for part, message in _YAML_ERRORS.items() if part in said)
    return next(known, f"is not valid YAML: {error.problem}")


def _marked(error: yaml.MarkedYAMLError, file: str) -> Position:
    mark = error.problem_mark or error.context_mark
    if error.context == "while scanning a quoted scalar" and error.context_mark:
        mark = error.context_mark
    return Position(file, mark.line + 1, mark.column + 1) if mark else Position(file, 1, 1)


def _end_of(text: str, file: str) -> Position:
    return Position(file, text.count("\n") + 1, len(text) - text.rfind("\n"))


def _line(lines: tuple[str, ...], position: Position) -> str:
    return lines[position.line - 1] if 0 < position.line <= len(lines) else ""


def _unreadable(position: Position, message: str, line: str = "") -> InventoryError:
    return InventoryError((Mistake(position, "", message, line),))
