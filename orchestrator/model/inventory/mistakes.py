"""Mistakes in an inventory file, with their positions, and how they read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from unicodedata import east_asian_width

Path = tuple[str | int, ...]  # of keys and indexes, from the top of the file: ("workers", 1, "host")

_PLAIN_KEY = r"[\w.-]{1,60}"
_WIDEST_QUOTE = 60
_WIDEST_LINE = 100
_MOST_SHOWN = 100


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where something stands. Line 0: the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake by its path, without a position yet. `at_key`: the key is at fault, not its value."""

    path: Path
    message: str
    at_key: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing to correct, with the line it stands on."""

    position: Position
    path: str
    message: str
    line: str = field(default="", compare=False)

    def __str__(self) -> str:
        return ": ".join(filter(None, (str(self.position), self.path, self.message)))

    def text(self) -> str:
        """The message, and under it the line with a caret."""
        return f"{self}\n{self._snippet()}" if self.position.line else str(self)

    def _snippet(self) -> str:
        caret = self.position.column - 1
        start = max(0, caret - _WIDEST_LINE // 2) if len(self.line) > _WIDEST_LINE else 0
        cut = self.line[start : start + _WIDEST_LINE]
        shown = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in cut)
        widths = ((c, east_asian_width(c) in "WF") for c in shown[: caret - start])
        under = "".join("\t" if c == "\t" else "  " if wide else " " for c, wide in widths)
        return f"{self.position.line:>5} | {shown}\n      | {under}^"


@dataclass(frozen=True, slots=True)
class InventoryError:
    """Everything wrong with one file, in the order of its lines. Never empty."""

    mistakes: tuple[Mistake, ...]

    @classmethod
    def of(cls, mistakes: Iterable[Mistake]) -> "InventoryError":
        return cls(tuple(sorted(set(mistakes))))

    def text(self) -> str:
        """All of them as people read them, without a newline at the end."""
        shown = [mistake.text() for mistake in self.mistakes[:_MOST_SHOWN]]
        more = len(self.mistakes) > len(shown)
        return "\n".join([*shown, "There are more mistakes; these first."] if more else shown)


def dotted(path: Path) -> str:
    """A data path as people write it: `workers[1].docker.args[0]`."""
    parts = (
        f"[{part}]"
        if isinstance(part, int)
        else f".{part if re.fullmatch(_PLAIN_KEY, part) else quoted(part)}"
        for part in path
    )
    return "".join(parts).removeprefix(".")


def quoted(text: str) -> str:
    """What the user wrote, in quotes: short, and harmless on a terminal."""
    short = text if len(text) <= _WIDEST_QUOTE else f"{text[:_WIDEST_QUOTE]}…"
    return '"' + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short) + '"'


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word; empty where nothing is near."""
    near = get_close_matches(word[:_WIDEST_QUOTE], known, 1)
    return f'; did you mean "{near[0]}"?' if near else ""
