"""Spans of time, as people say them."""


def age(seconds: float) -> str:
    """A span as people say it: 42 s, 7 min, 3 h, 12 d."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} d"
