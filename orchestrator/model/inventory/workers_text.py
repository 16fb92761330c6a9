"""The text of an inventory with workers more or fewer; all else, comments and blanks included, stays as it is."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import yaml

from orchestrator.frozen import dataclass
from orchestrator.model.inventory.models import Inventory
from orchestrator.model.inventory.ranges import count, narrowed
from orchestrator.model.inventory.yaml_source import compose


@dataclass(frozen=True, slots=True)
class NotEditable:
    """Why the text has to be edited by hand."""

    why: str


@dataclass(frozen=True, slots=True)
class _Change:
    """New text in the place of what stands from `start` to `end`."""

    start: int
    end: int
    new: str


_LONE_DASH = re.compile(r"^[ \t]*-[ \t]*(#.*)?\r?\n([ \t]*(#.*)?\r?\n)*[ \t]*\Z", re.MULTILINE)
ELSEWHERE = "is written in another place and referred to here (&name, *name, <<)"


def with_workers(text: str, items: Sequence[str]) -> str | NotEditable:
    """The text with more workers, each a map such as `{host: gpu4, ip: 10.0.0.4}`, after those that are there."""
    root: Any = compose(text, "")
    pairs = {key.value: (key, value) for key, value in root.value}
    key, workers = pairs.get("workers", (None, None))
    if root.flow_style or (key and _is_alias(key, workers)):
        return NotEditable("the whole file is one { } map" if root.flow_style else f"`workers` {ELSEWHERE}")
    if key is None:
        return _new_list(text, root, pairs, items)
    if not isinstance(workers, yaml.SequenceNode):  # nothing is written yet
        at, column = _end_of_line(text, _end(text, workers, key)), key.start_mark.column
        nothing = _Change(workers.start_mark.index, workers.end_mark.index, "")  # or `null`
        lines = _lines_after(text, at, (f"{' ' * (column + 2)}- {item}" for item in items))
        return _changed(text, [nothing, lines])
    if workers.flow_style:
        return _changed(text, _into_brackets(text, workers, items))
    last = workers.value[-1]
    if _is_alias(workers, last):
        return NotEditable(f"the last worker {ELSEWHERE}")
    at, indent = _end_of_line(text, _end(text, last)), " " * workers.start_mark.column
    return _changed(text, [_lines_after(text, at, (f"{indent}- {item}" for item in items))])


def without_workers(text: str, inventory: Inventory, names: Collection[str]) -> str | NotEditable:
    """The text without the workers of these names; a range that stands for others, too, is narrowed to them."""
    root: Any = compose(text, "")
    found = next(((key, value) for key, value in root.value if key.value == "workers"), None)
    if found is None or _is_alias(*found):
        return NotEditable(f"`workers` {ELSEWHERE}")
    key, workers = found
    changes, gone = list[_Change](), list[int]()
    for index, (node, host) in enumerate(zip(workers.value, inventory.workers or (), strict=True)):
        kept = [i for i, machine in enumerate(host.machines()) if machine.name not in names]
        if len(kept) == host.size:
            continue
        if _is_alias(workers, node):
            return NotEditable(f"worker {index + 1} {ELSEWHERE}")
        if not kept:
            gone.append(index)
        elif (narrow := _narrowed(text, workers, node, kept)) is None:
            return NotEditable(f"the range of worker {index + 1} {ELSEWHERE}")
        else:
            changes.append(narrow)
    return _changed(text, [*changes, *_removals(text, key, workers, gone)])


def _new_list(
    text: str, root: Any, pairs: dict[str, tuple[Any, Any]], items: Sequence[str]
) -> str | NotEditable:
    """A list of workers where there is none: after the head, where it is written in the file's own map."""
    key, head = pairs.get("head", root.value[-1])
    if _is_alias(key, head):
        key, head = root.value[-1]
    if _is_alias(key, head):
        return NotEditable("it ends with what is written in another place (*name)")
    at, indent = _end_of_line(text, _end(text, head)), " " * root.start_mark.column
    return _changed(
        text, [_lines_after(text, at, (f"{indent}workers:", *(f"{indent}  - {item}" for item in items)))]
    )


def _into_brackets(text: str, workers: Any, items: Sequence[str]) -> list[_Change]:
    """Into `[ ]`, on lines of their own where the last one has one."""
    if not workers.value:
        at = workers.start_mark.index + 1
        return [_Change(at, at, ", ".join(items))]
    last = workers.value[-1]
    end = last.end_mark.index
    alone = _alone(text, last)
    if alone is None:
        return [_Change(end, end, "".join(f", {item}" for item in items))]
    indent, comma = alone
    added = [] if comma else [_Change(end, end, ",")]
    lines = [f"{indent}{item}{comma if i == len(items) else ','}" for i, item in enumerate(items, 1)]
    return [*added, _lines_after(text, _end_of_line(text, end), lines)]


def _removals(text: str, key: Any, workers: Any, gone: Sequence[int]) -> Iterator[_Change]:
    every = len(gone) == len(workers.value)
    if workers.flow_style:
        yield from _out_of_brackets(text, workers, gone)
        return
    for index in gone:
        node = workers.value[index]
        yield _whole_lines(text, _dash(text, node), _end(text, node))
    if every and gone:
        yield _whole_lines(text, key.start_mark.index, key.end_mark.index)


def _out_of_brackets(text: str, workers: Any, gone: Sequence[int]) -> Iterator[_Change]:
    """Each with its line where it has one of its own, else with the comma that parts it from the one that stays."""
    nodes = workers.value
    for first, last in _runs(gone):
        start, end = nodes[first].start_mark.index, nodes[last].end_mark.index
        if all(_alone(text, node) for node in nodes[first : last + 1]):
            yield _whole_lines(text, start, end)
            continue
        if first > 0:
            start = nodes[first - 1].end_mark.index
        elif last + 1 < len(nodes):
            end = nodes[last + 1].start_mark.index
        elif comma := re.compile(r"\s*,").match(text, end):
            end = comma.end()
        yield _Change(start, end, "")


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of those that follow each other without a gap."""
    for _, each in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in each]
        yield run[0], run[-1]


def _alone(text: str, node: Any) -> tuple[str, str] | None:
    """What stands before an item in brackets, and the comma after it, where nothing else is on its lines."""
    start, end = text.rfind("\n", 0, node.start_mark.index) + 1, node.end_mark.index
    before, after = text[start : node.start_mark.index], text[end : _end_of_line(text, end)]
    found = re.fullmatch(r"[ \t]*(,?)[ \t]*(#.*)?", after.rstrip("\r"))
    return (before, found[1]) if found and not before.strip() else None


def _narrowed(text: str, workers: Any, node: Any, kept: Sequence[int]) -> _Change | None:
    """The item once for each run of machines that stay; None where its range is not written in it."""
    scalars = [
        value
        for key, value in node.value
        if key.value in ("host", "ip", "name") and count(str(value.value)) > 1
    ]
    if any(_is_alias(node, value) or not isinstance(value, yaml.ScalarNode) for value in scalars):
        return None
    start, end = node.start_mark.index, _end(text, node)
    copies = list[str]()
    for first, last in _runs(kept):
        inside = [
            _Change(
                value.start_mark.index - start,
                value.end_mark.index - start,
                _as_written(value, narrowed(str(value.value), first, last)),
            )
            for value in scalars
        ]
        copies.append(_changed(text[start:end], inside))
    column = workers.start_mark.column
    between = ", " if workers.flow_style else f"{_newline(text)}{' ' * column}- "
    return _Change(start, end, between.join(copies))


def _as_written(node: Any, value: str) -> str:
    """In the quotes that it had."""
    if node.style == "'":
        return f"'{value}'"
    return json.dumps(value) if node.style == '"' else value


def _is_alias(outside: Any, node: Any) -> bool:
    """Whether a node stands before what refers to it, or was merged in from there."""
    return bool(node.start_mark.index < outside.start_mark.index)


def _end(text: str, node: Any, key: Any = None) -> int:
    """Where a value ends, without the blanks and comments that YAML counts to it; `key`: of one that is not written."""
    if key is not None and node.end_mark.index <= key.end_mark.index + 1:
        return int(text.index(":", key.end_mark.index)) + 1
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        return len(text[: node.end_mark.index].rstrip())
    last = node.value[-1]
    if isinstance(node, yaml.SequenceNode):
        return _end(text, last) if not _is_alias(node, last) else _end_of_line(text, _begin_last(text, node))
    name, value = last
    if value.start_mark.index < name.end_mark.index:  # an alias, or nothing at all
        found = re.compile(r"\s*:[ \t]*(\*[\w.-]+)?").match(text, name.end_mark.index)
        return found.end() if found else _end_of_line(text, name.end_mark.index)
    return _end(text, value, name)


def _begin_last(text: str, node: Any) -> int:
    """Where the last item of a block list, an alias, begins."""
    return text.rindex("*", 0, node.end_mark.index)


def _end_of_line(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _lines_after(text: str, at: int, lines: Iterable[str]) -> _Change:
    """New lines after the one that ends there."""
    newline = _newline(text)
    if at == len(text) and not text.endswith("\n"):
        return _Change(at, at, "".join(f"{newline}{line}" for line in lines))
    at = min(at + 1, len(text))
    return _Change(at, at, "".join(f"{line}{newline}" for line in lines))


def _dash(text: str, node: Any) -> int:
    """Where the line of an item's dash begins, which may stand above it, alone but for comments."""
    above = _LONE_DASH.search(text[: node.start_mark.index])
    return above.start() if above else text.rfind("\n", 0, node.start_mark.index) + 1


def _whole_lines(text: str, start: int, end: int) -> _Change:
    return _Change(text.rfind("\n", 0, start) + 1, min(_end_of_line(text, end) + 1, len(text)), "")


def _changed(text: str, changes: Iterable[_Change]) -> str:
    for each in sorted(changes, key=lambda change: change.start, reverse=True):
        text = text[: each.start] + each.new + text[each.end :]
    return text
