"""YAML nodes → plain data, with bounds on what a hostile or mistaken file can cost."""

import re

import yaml

from orchestrator.model.inventory.mistakes import Path, Position, quoted

MOST_VALUES = 100_000
DEEPEST = 30
TOO_MANY = f"the file stands for more than {MOST_VALUES:,} values, aliases included; this is no inventory"

_UNSENDABLE = re.compile("[\0\ud800-\udfff]")
_STANDARD = "tag:yaml.org,2002:"
_NULL, _MERGE, _STR, _MAP, _SEQ = (_STANDARD + kind for kind in ("null", "merge", "str", "map", "seq"))

_RESOLVERS = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in (_NULL, _MERGE)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

Pairs = dict[str, tuple[yaml.Node, yaml.Node]]


class UnreadableError(Exception):
    """The file cannot be read any further. Never leaves this package: `source` makes it a mistake."""

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
            raise UnreadableError(self.position(), TOO_MANY)
        return super().compose_node(parent, index)

    def position(self) -> Position:
        return Position(self.file, self.line + 1, self.column + 1)


def compose(text: str, file: str) -> yaml.Node:
    """The one document's node; a YAMLError where it has none to give."""
    loader = _TextLoader(text, file)
    try:
        node = loader.get_single_node()
    except RecursionError:
        raise UnreadableError(loader.position(), "is nested too deeply") from None
    except (ValueError, OverflowError):  # PyYAML's own, for numbers no character or version has
        raise UnreadableError(loader.position(), "is not valid YAML") from None
    finally:
        loader.dispose()
    if node is None or node.tag == _NULL:
        raise UnreadableError(
            Position(file, 1, 1), "the file is empty; an inventory needs at least cluster, image and head"
        )
    return node


class Tree:
    """Turns nodes into data, noting where each key and value stands and what is wrong on the way."""

    def __init__(self, file: str) -> None:
        self.values: dict[Path, Position] = {}
        self.keys: dict[Path, Position] = {}
        self.faults: list[tuple[Position, Path, str]] = []
        self._file = file
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
            raise UnreadableError(self._position(node), TOO_MANY)
        if any(node is outer for outer in inside):
            raise UnreadableError(
                self._position(node), "an alias (*name) here stands for something that holds itself"
            )
        if len(inside) > DEEPEST:
            raise UnreadableError(self._position(node), "is nested too deeply")

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
            elif (text := self._key(key, path)) is not None:
                self._note_duplicate(pairs, key, (*path, text))
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

    def _key(self, key: yaml.Node, path: Path) -> str | None:
        text = self._scalar(key, path) if isinstance(key, yaml.ScalarNode) else None
        if text is None:
            self.faults.append((self._position(key), path, "a key has to be plain text"))
        return text

    def _note_duplicate(self, pairs: Pairs, key: yaml.Node, path: Path) -> None:
        if first := pairs.get(key.value):
            line = self._position(first[0]).line
            self.faults.append(
                (self._position(key), path, f"duplicate key {quoted(key.value)}, first on line {line}")
            )

    def _scalar(self, node: yaml.Node, path: Path) -> str | None:
        if node.tag in (_NULL, _MERGE):
            return None if node.tag == _NULL else "<<"
        self._check_tag(node, _STR, path)
        text = str(node.value)
        if bad := _UNSENDABLE.search(text):
            message = f"the character {quoted(bad[0])} cannot be sent to a host"
            self.faults.append((self._position(node), path, message))
        return _UNSENDABLE.sub("\N{REPLACEMENT CHARACTER}", text)  # half a character cannot be printed

    def _check_tag(self, node: yaml.Node, expected: str, path: Path) -> None:
        if node.tag != expected:
            tag = quoted(node.tag.replace(_STANDARD, "!!"))
            self.faults.append(
                (self._position(node), path, f"the tag {tag} is not allowed; write the plain value")
            )

    def _position(self, node: yaml.Node) -> Position:
        return Position(self._file, node.start_mark.line + 1, node.start_mark.column + 1)
