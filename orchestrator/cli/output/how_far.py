"""How far a step is: a bar, percent and time left as wide as a terminal allows, or the same in words."""

from rich.text import Text

from orchestrator.plan.progress import Progress, Unit, size

BAR = 10, 30
"""Columns of a bar, at least and at most; those of all rows are equal."""
WORDS, GAP = 46, 2
"""Columns that suffice for nearly all that is said behind a bar."""
MINUTE, HOUR = 60, 3600


def in_words(far: Progress) -> str:
    """For where nothing is drawn: `88 MB of 426 MB (20 %), 9 MB/s, 38 s left`."""
    share = f" ({_percent(far)})" if far.unit is Unit.BYTES and far.total else ""
    return ", ".join(filter(None, (f"{_amount(far)}{share}", far.note, _rate(far), _left(far))))


def drawn(far: Progress, columns: int, style: str) -> Text:
    """In so many columns. Where they do not suffice, the bar shrinks, then the rate goes, then the amount."""
    if far.share is None:
        return Text(in_words(far), style)
    percent = f"{_percent(far):>5}" if far.unit is Unit.BYTES else ""
    amount = ", ".join(filter(None, (_amount(far), far.note)))
    bar = max(BAR[0], min(BAR[1], columns - WORDS - GAP))
    for said in (
        (percent, amount, _rate(far), _left(far)),
        (percent, amount, _left(far)),
        (percent, _left(far)),
    ):
        words = "  ".join(filter(None, said))
        if bar + GAP + len(words) <= columns:
            break
    return Text.assemble(_bar(far.share, bar, style), " " * GAP, (words, style))


def _bar(share: float, columns: int, style: str) -> Text:
    """Its two parts differ without colours, too."""
    full = int(share * columns)
    return Text.assemble(("━" * full, style), ("─" * (columns - full), "dim"))


def _percent(far: Progress) -> str:
    return f"{int(100 * (far.share or 0))} %"


def _amount(far: Progress) -> str:
    if far.unit is Unit.LAYERS:
        return f"{far.done} of {far.total} layers"
    return f"{size(far.done)} of {size(far.total)}" if far.total else size(far.done)


def _rate(far: Progress) -> str:
    return f"{size(far.rate)}/s" if far.rate and far.unit is Unit.BYTES else ""


def _left(far: Progress) -> str:
    if far.left is None:
        return ""
    seconds = max(1, round(far.left))
    if seconds < 2 * MINUTE:
        return f"{seconds} s left"
    if seconds < 2 * HOUR:
        return f"{seconds // MINUTE} min left"
    return f"{seconds // HOUR} h {seconds % HOUR // MINUTE} min left"
