"""YAML text → plain data and the position of each part of it, with bounds on what a hostile file can cost.

YAML decides no types here: every scalar stays the text the user wrote, and the inventory's models parse
it. So `on`, `22:22`, `0755` and `3.10` arrive unchanged; only null and merge keys are resolved.
"""

import re
import sys
from difflib import get_close_matches
from pathlib import Path as FilePath

import yaml

from orchestrator.frozen import dataclass
from orchestrator.model.inventory.mistakes import (
    Fault,
    InventoryError,
    Mistake,
    Path,
    Position,
    dotted,
    quoted,
)

LARGEST = 1_000_000  # bytes; a thousand hosts written one by one take a tenth of it
MOST_VALUES = 100_000
DEEPEST = 30

_TOO_MANY = f"the file stands for more than {MOST_VALUES:,} values, aliases included; is this an inventory?"
_TOO_DEEP = "is nested too deeply"
_EMPTY = "the file is empty; an inventory needs at least cluster, image and head"
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UNSENDABLE = "[\0\ud800-\udfff]"
_STANDARD = "tag:yaml.org,2002:"
_NULL, _MERGE, _STR, _MAP, _SEQ = (_STANDARD + kind for kind in ("null", "merge", "str", "map", "seq"))
_RESOLVERS = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in (_NULL, _MERGE)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_YAML_ERRORS = {
    r"character '\t'": "a tab cannot stand here; use spaces",
    "mapping values are not allowed": 'there is a ":" too many; put quotes around a text that holds ": "',
    "<block end>": "the indentation does not fit the lines above",
    "could not find expected ':'": 'expected "key: value"',
    "another document": 'an inventory is one YAML document; remove the "---" and what follows',
    "<document start>": 'expected "key: value"',
    "undefined alias": 'no anchor (&name) of this name above; a text that starts with "*" needs quotes',
    "but got '['": 'inside { } and [ ], a text with brackets needs quotes: "gpu[2-9]"',
    "scanning a quoted scalar": "the quotes opened here are never closed",
}

_FLOW = ("while parsing a flow mapping", "while parsing a flow sequence")
_BEGUN = ("while scanning a quoted scalar", "while scanning a simple key")
"""Whose fault is where they begin: of a key without a colon it is found a line later."""


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
        """The fault where it stands; what is not in the file, where its surroundings do."""
        path, positions = fault.path, self.keys if fault.at_key else self.values
        while path and path not in positions:
            path, positions = path[:-1], self.values
        return _mistake(positions.get(path, Position(self.file, 1, 1)), fault.path, fault.message, self.lines)


def read(path: str) -> Source | InventoryError:
    """Reads a file; `-` is standard input."""
    file = "<stdin>" if path == "-" else path
    try:
        text = _content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", "replace")
        message = f"byte 0x{error.object[error.start]:02x} is not UTF-8; save the file as UTF-8"
        return InventoryError((Mistake(_end_of(before, file), "", message, before.split("\n")[-1]),))
    except (OSError, ValueError) as error:
        return InventoryError((Mistake(Position(file), "", _file_error(error, file)),))
    return from_text(text, file)


def from_text(text: str, file: str) -> Source | InventoryError:
    """The data of a YAML text; one mistake where it is no YAML that an inventory may be."""
    lines = tuple(text.splitlines())
    tree = _Tree(file, lines)
    try:
        data = tree.data(compose(text, file))
    except (UnreadableError, yaml.reader.ReaderError, yaml.MarkedYAMLError) as error:
        position, message = _explain(error, text, file)
        return InventoryError((_mistake(position, (), message, lines),))
    return Source(file, lines, data, tree.values, tree.keys, tuple(tree.mistakes))


class UnreadableError(Exception):
    """The file cannot be read any further."""

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(message)
        self.position, self.message = position, message


class _TextLoader(yaml.SafeLoader):
    """A SafeLoader to which every scalar is text, but for null and the merge key."""

    def __init__(self, text: str, file: str) -> None:
        self.file, self.composed = file, 0
        self.yaml_implicit_resolvers = _RESOLVERS
        super().__init__(text)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.composed += 1
        if self.composed > MOST_VALUES:
            raise UnreadableError(self.position(), _TOO_MANY)
        return super().compose_node(parent, index)

    def position(self) -> Position:
        return Position(self.file, self.line + 1, self.column + 1)


def compose(text: str, file: str) -> yaml.Node:
    """The one document's root node; a YAMLError where it has none to give."""
    loader = _TextLoader(text, file)
    try:
        node = loader.get_single_node()
    except RecursionError:
        raise UnreadableError(loader.position(), _TOO_DEEP) from None
    except (ValueError, OverflowError):  # PyYAML's own, for numbers no character or version has
        raise UnreadableError(loader.position(), "is not valid YAML") from None
    finally:
        loader.dispose()
    if node is None or node.tag == _NULL:
        raise UnreadableError(Position(file, 1, 1), _EMPTY)
    return node


Pairs = dict[str, tuple[yaml.Node, yaml.Node]]


class _Tree:
    """Turns nodes into data; notes where each key and value stands, and what is wrong on the way."""

    def __init__(self, file: str, lines: tuple[str, ...]) -> None:
        self.values: dict[Path, Position] = {}
        self.keys: dict[Path, Position] = {}
        self.mistakes: list[Mistake] = []
        self._file, self._lines = file, lines
        self._visited = 0

    def data(self, node: yaml.Node, path: Path = (), inside: tuple[yaml.Node, ...] = ()) -> object:
        self._enter(node, inside)
        self.values[path] = self._position(node)
        match node:
            case yaml.MappingNode():
                self._check_tag(node, _MAP, path)
                return self._map(node, path, (*inside, node))
            case yaml.SequenceNode():
                self._check_tag(node, _SEQ, path)
                return [self.data(item, (*path, i), (*inside, node)) for i, item in enumerate(node.value)]
            case _:
                return self._scalar(node, path)

    def _enter(self, node: yaml.Node, inside: tuple[yaml.Node, ...]) -> None:
        """Aliases make a small file stand for an endless one; so every visit is counted."""
        self._visited += 1
        if self._visited > MOST_VALUES:
            raise UnreadableError(self._position(node), _TOO_MANY)
        if any(node is outer for outer in inside):
            message = "an alias (*name) here stands for something that holds itself"
            raise UnreadableError(self._position(node), message)
        if len(inside) > DEEPEST:
            raise UnreadableError(self._position(node), _TOO_DEEP)

    def _map(self, node: yaml.MappingNode, path: Path, inside: tuple[yaml.Node, ...]) -> dict[str, object]:
        data = {}
        for key, (key_node, value) in self._pairs(node, path, inside).items():
            self.keys[*path, key] = self._position(key_node)
            data[key] = self.data(value, (*path, key), inside)
        return data

    def _pairs(self, node: yaml.MappingNode, path: Path, inside: tuple[yaml.Node, ...]) -> Pairs:
        """The map's own pairs and those it merges in. Its own win, then the first merged."""
        pairs: Pairs = {}
        merged: list[yaml.MappingNode] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merged += self._merged(value)
                continue
            text = self._scalar(key, path) if isinstance(key, yaml.ScalarNode) else None
            if text is None:
                self._note(key, path, "a key has to be plain text")
                continue
            if first := pairs.get(key.value):
                line = self._position(first[0]).line
                self._note(key, (*path, text), f"duplicate key {quoted(text)}, first on line {line}")
            pairs.setdefault(text, (key, value))
        for other in merged:
            self._enter(other, inside)
            pairs = self._pairs(other, path, (*inside, other)) | pairs
        self._visited += len(pairs)
        return pairs

    def _merged(self, value: yaml.Node) -> list[yaml.MappingNode]:
        maps = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if all(isinstance(each, yaml.MappingNode) for each in maps):
            return list(maps)
        raise UnreadableError(
            self._position(value), '"<<" merges a map, or a list of maps, such as "<<: *name"'
        )

    def _scalar(self, node: yaml.Node, path: Path) -> str | None:
        if node.tag in (_NULL, _MERGE):
            return None if node.tag == _NULL else "<<"
        self._check_tag(node, _STR, path)
        text = str(node.value)
        if bad := re.search(_UNSENDABLE, text):
            self._note(node, path, f"the character {quoted(bad[0])} cannot be sent to a host")
        return re.sub(_UNSENDABLE, "\N{REPLACEMENT CHARACTER}", text)  # half a character cannot be printed

    def _check_tag(self, node: yaml.Node, expected: str, path: Path) -> None:
        if node.tag != expected:
            tag = quoted(node.tag.replace(_STANDARD, "!!"))
            self._note(node, path, f"the tag {tag} is not allowed; write the plain value")

    def _note(self, node: yaml.Node, path: Path, message: str) -> None:
        self.mistakes.append(_mistake(self._position(node), path, message, self._lines))

    def _position(self, node: yaml.Node) -> Position:
        return Position(self._file, node.start_mark.line + 1, node.start_mark.column + 1)


def _content(path: str) -> bytes:
    """The bytes of a text; a ValueError where they are none."""
    if path == "-":
        raw = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with FilePath(path).open("rb") as file:
            raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise _NoTextError(f"is larger than {LARGEST // 1_000_000} MB; is this an inventory?")
    if b"\0" in raw or raw.startswith(_BYTE_ORDER_MARKS):
        raise _NoTextError("is a binary file, or UTF-16; an inventory is YAML text in UTF-8")
    return raw


def _nearly(missing: FilePath) -> str:
    """The end of a message about a missing file: the one of nearly its name, where it is."""
    near = get_close_matches(missing.name, (each.name for each in missing.parent.glob("*.y*ml")), 1)
    return f"; did you mean {missing.with_name(near[0])}?" if near else ""


class _NoTextError(ValueError):
    """The bytes of a file are no text that an inventory may be."""


def _file_error(error: OSError | ValueError, file: str) -> str:
    match error:
        case FileNotFoundError():
            return f"there is no such file{_nearly(FilePath(file))}"
        case IsADirectoryError():
            return "is a directory, not a file"
        case PermissionError():
            return "permission denied"
        case OSError(strerror=str(reason)):
            return f"cannot be read: {reason}"
        case _NoTextError():
            return str(error)
        case _:  # a NUL in the path
            return "is not the name of a file"


def _explain(
    error: "UnreadableError | yaml.reader.ReaderError | yaml.MarkedYAMLError", text: str, file: str
) -> tuple[Position, str]:
    """Where the text is no YAML, and why."""
    if isinstance(error, UnreadableError):
        return error.position, error.message
    if isinstance(error, yaml.reader.ReaderError):
        message = f"the character {quoted(text[error.position])} is not allowed in YAML"
        return _end_of(text[: error.position], file), message
    return _explain_syntax(error, text, file)


def _explain_syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> tuple[Position, str]:
    words = f"{error.context} {error.problem}"
    begun, mark = error.context_mark, error.problem_mark or error.context_mark
    last = mark.line + 1 if mark else 1
    unclosed = error.context in _FLOW and begun and begun.line + 1 < last and "but got '['" not in words
    if begun and (unclosed or error.context in _BEGUN):
        mark = begun
    position = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file, 1, 1)
    if odd := _odd_character(text, position.line):
        return Position(file, *odd[:2]), odd[2]
    if "mapping values are not allowed" in words and (above := _without_colon(text, position.line - 1)):
        return Position(file, position.line - 1, above), _YAML_ERRORS["could not find expected ':'"]
    if first := re.search(r"character '([^\\])' that cannot start any token", words):
        return position, f"a text that starts with {quoted(first[1])} needs quotes"
    if unclosed:
        return position, f"the bracket opened here is never closed, or a comma is missing before line {last}"
    known = (message for part, message in _YAML_ERRORS.items() if part in words)
    return position, next(known, f"is not valid YAML: {error.problem}")


def _odd_character(text: str, number: int) -> tuple[int, int, str] | None:
    """Line, column and fault of a character, on this line or the one above, that only looks as it should.

    Web pages and documents have such spaces and dashes; a colon needs a space after it.
    """
    lines = text.splitlines()
    for at in (number, number - 1):
        line = lines[at - 1] if 0 < at <= len(lines) else ""
        if space := re.search(r"[^\S \t\r\n\f\v]", line):
            return at, space.start() + 1, "this is not a plain space, but looks like one; type it again"
        if dash := re.match(r"\s*([\u2010-\u2015\u2212\u2022])\s", line):
            return at, dash.start(1) + 1, f'an item of a list begins with "-", not with {quoted(dash[1])}'
        if (key := re.match(r"\s*[a-z_]+:(?=[^\s:/])", line)) and ": " not in line[: key.end() + 1]:
            return at, key.end() + 1, 'a ":" after a key needs a space'
    return None


def _without_colon(text: str, number: int) -> int:
    """The column of a line that is no `key: value`, though the one below it is, of the same map; 0 for any other."""
    if number < 1:
        return 0
    line, below = text.splitlines()[number - 1 : number + 1]
    begin = len(line) - len(line.lstrip())
    alike = begin == len(below) - len(below.lstrip())
    return begin + 1 if alike and re.match(r"\s*\w[^:#]*$", line) else 0


def _mistake(position: Position, path: Path, message: str, lines: tuple[str, ...]) -> Mistake:
    line = lines[position.line - 1] if 0 < position.line <= len(lines) else ""
    return Mistake(position, dotted(path), message, line)


def _end_of(text: str, file: str) -> Position:
    return Position(file, text.count("\n") + 1, len(text) - text.rfind("\n"))
