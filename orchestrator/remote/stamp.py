"""Whether a file is still what was read."""

from pathlib import Path

Stamp = tuple[int, int, int] | None


def stamp(file: Path) -> Stamp:
    """Another one when the file has been changed, replaced or given other rights; None where it cannot be seen."""
    try:
        now = file.stat()
    except OSError:
        return None
    return now.st_ino, now.st_size, now.st_ctime_ns
