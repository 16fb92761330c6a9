"""Sizes and versions, as findings compare and tell them."""

GIB = 1 << 30


def gib(size: float) -> str:
    """A size in the unit that people give memory and disks in."""
    return f"{size / GIB:.1f} GiB"


def release(version: str) -> tuple[int, ...]:
    """The first two numbers of a version; fewer where it has none."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
