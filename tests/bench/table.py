"""The measured rows as a table for people, and with everything around them as JSON."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .row import Row

HEADS = ("what", "beside", "measured", "limit", "kept", "note")
KEPT = {True: "yes", False: "NO", None: ""}
GIB = 1 << 30


def machine() -> dict[str, str]:
    """What all of it was measured on, and when."""
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": f"{os.cpu_count()} × {_cpu_model(Path('/proc/cpuinfo').read_text())}",  # noqa: RUF001
        "memory": f"{memory / GIB:.0f} GiB",
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "openssh": ssh.partition(",")[0].strip(),
    }


def _cpu_model(told: str) -> str:
    named = (line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name"))
    return next(named, platform.machine())


def table(rows: Sequence[Row], on: dict[str, str]) -> str:
    """Lines for a terminal: the machine, then a row for each claim, in columns."""
    cells = [HEADS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
    return "".join(f"{line}\n" for line in (", ".join(on.values()), "", *lines))


def _cells(row: Row) -> tuple[str, ...]:
    bound = "" if row.limit is None else f"{'≥' if row.more else '≤'} {_amount(row.limit, row.unit)}"
    return row.what, row.beside, _amount(row.value, row.unit), bound, KEPT[row.holds], row.note


def _amount(value: float, unit: str) -> str:
    return f"{value:.4g} {unit}"


def as_json(rows: Sequence[Row], on: dict[str, str]) -> dict[str, Any]:
    """The same for programs; `holds` is null where there is no limit."""
    return {"machine": on, "rows": [asdict(row) | {"holds": row.holds} for row in rows]}
