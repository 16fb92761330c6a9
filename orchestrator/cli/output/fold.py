"""Lines for a terminal: folded between words, never in them; a command among them can still be pasted."""

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

PROGRAM = r"(?:raycluster|sudo|ssh|ssh-[a-z-]+|docker|podman|curl|export) "
COMMAND = re.compile(rf"`?(?:on [^:`]+: )?(?={PROGRAM})")
REST = r"(?:'[^']*'|\S| (?! ))+"
FIRST = re.compile(PROGRAM + REST)
BARE = re.compile(rf"(?:(?<=→ )(?:on [^:`]+: )?{PROGRAM}|(?<=: )(?:raycluster|sudo) ){REST}")
"""A command that no quotes set apart from what stands before it."""
WORD = re.compile(r"(?:`[^`]+`|\S)+")
"""What stays on one line: also all that is between two such quotes."""
OF_A_SHELL = re.compile(r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"])+")
FRONT = re.compile(r"\s*(?:[!✗✓→|] )?")
GOES_ON = " \\"
LEAST = 24
"""Columns that are worth folding for; with less room than that, lines begin at the edge."""

Break = tuple[int, int, str]
"""From where to where a text has blanks, and what comes in their place."""


def folded(text: Text, width: int) -> Text:
    """The text in lines of that many columns; only a word that is longer is left to the terminal."""
    breaks, at = list[Break](), 0
    for line in text.plain.split("\n"):
        if cell_len(line) > width:
            breaks += ((at + begin, at + end, put) for begin, end, put in _breaks(line, width))
        at += len(line) + 1
    if not breaks:
        return text
    pieces = list(text.divide([place for begin, end, _ in breaks for place in (begin, end)]))
    pieces[1::2] = [Text(put) for _, _, put in breaks]
    return Text("", text.style, end=text.end).join(pieces)


def _breaks(line: str, width: int) -> Iterator[Break]:
    """Where a line is folded; what follows begins below what stands behind its mark."""
    mark = FRONT.match(line)
    begins = mark.end() if mark else 0
    indent = begins if width - begins >= LEAST else 0
    column, last = begins, begins
    for begin, end in _words(line, begins):
        size, blanks = cell_len(line[begin:end]), begin - last
        if column + blanks + size > width and column > indent:
            yield last, begin, f"\n{'':{indent}}"
            column, blanks = indent, 0
        column += blanks
        if column + size > width and COMMAND.match(line, begin):
            yield from _continued(line, begin, end, column, width)
        column, last = column + size, end


def _words(line: str, begin: int) -> Iterator[tuple[int, int]]:
    """From where to where each word goes, or what else stays whole."""
    bare = FIRST.match(line, begin) or BARE.search(line, begin)
    stop = bare.start() if bare else len(line)
    yield from (each.span() for each in WORD.finditer(line, begin, stop))
    if bare:
        yield bare.span()
        yield from _words(line, bare.end())


def _continued(line: str, begin: int, end: int, indent: int, width: int) -> Iterator[Break]:
    """Where a command that is too long for a line goes on in the next one, for a shell."""
    column, last = indent, begin
    where = COMMAND.match(line, begin, end)
    typed = where.end() if where else begin
    for word in OF_A_SHELL.finditer(line, begin, end):
        size = cell_len(word[0])
        more = len(GOES_ON) if word.end() < end else 0
        if last > begin and column + 1 + size + more > width:
            goes_on = word.start() > typed
            column = indent + 2 * goes_on
            yield last, word.start(), f"{GOES_ON if goes_on else ''}\n{'':{column}}"
        else:
            column += word.start() - last
        column, last = column + size, word.end()
