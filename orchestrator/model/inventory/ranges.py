"""`gpu[2-9]` stands for eight machines; `gpu[01-16]` for sixteen, zeros kept."""

import re

MOST = 1024  # machines in one cluster

_IPV6 = re.compile(r"\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?:%[\w.-]+)?\]")
_RANGE = re.compile(r"\[([0-9]{1,9})-([0-9]{1,9})\]")


def is_range(text: str) -> bool:
    return "[" in text or "]" in text


def count(text: str) -> int:
    """How many a text stands for, without writing them out."""
    found = _RANGE.search(text)
    return int(found[2]) - int(found[1]) + 1 if found else 1


def expand(text: str) -> tuple[str, ...]:
    """Everything a text stands for; a text without a range, itself. ValueError: a range that is none."""
    if not is_range(text):
        return (text,)
    before, first, last, after = _parts(text)
    if int(first) > int(last):
        raise ValueError(f"the range [{first}-{last}] runs backwards; write [{last}-{first}]")
    if (size := count(text)) > MOST:
        raise ValueError(f"stands for {size:,} hosts; a cluster has at most {MOST:,}")
    width = len(first) if first.startswith("0") else 0
    return tuple(f"{before}{n:0{width}}{after}" for n in range(int(first), int(last) + 1))


def narrowed(text: str, first: int, last: int) -> str:
    """What stands for some of those that a range stands for, counted from 0."""
    each = expand(text)
    if first == last:
        return each[first]
    before, _, _, after = _parts(text)
    numbers = [each[i][len(before) : len(each[i]) - len(after)] for i in (first, last)]
    return f"{before}[{numbers[0]}-{numbers[1]}]{after}"


def _parts(text: str) -> tuple[str, str, str, str]:
    match _RANGE.split(text):
        case [before, first, last, after] if not is_range(before + after):
            return before, first, last, after
        case [_, _, _, _, _, _, *_]:
            raise ValueError("has more than one range in brackets; write a host for each instead")
        case _:
            if colon := re.search(r"\[([0-9]{1,4}):([0-9]{1,4})\]", text):
                raise ValueError(f"a range is written with a dash: [{colon[1]}-{colon[2]}]")
            if address := _IPV6.search(text):
                raise ValueError(f"an IPv6 address stands here without brackets: {address[1]}")
            raise ValueError("has brackets that hold no range such as [2-9] or [01-16]")
