"""Sizes and versions, as findings compare and tell them."""

GIB = 1 << 30
MEGA, GIGA, MILLI = 1e6, 1e9, 1e-3


def gib(size: float) -> str:
    """A size in the unit that people give memory and disks in."""
    return f"{size / GIB:.1f} GiB"


def bandwidth(bits: float) -> str:
    """Bits a second in the unit of network cards."""
    return f"{bits / GIGA:.1f} Gb/s" if bits >= GIGA else f"{bits / MEGA:.0f} Mb/s"


def delay(seconds: float) -> str:
    """A short time."""
    return f"{seconds * 1000:.1f} ms" if seconds >= MILLI else f"{seconds * 1000000:.0f} µs"


def release(version: str) -> tuple[int, ...]:
    """The first two numbers of a version; fewer where it has none."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
