"""`make bench`: what it costs, measured here and now; a limit that is not kept is exit code 1.

python -m tests.bench [cluster ...]     these parts, or all; also written to ./bench.json
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.lab.processes import LabError

from . import cluster, fleet, models, serving, start, transfer
from .measure import BenchError
from .row import Row
from .table import as_json, machine, table

Say = Callable[[str], None]
PARTS: dict[str, Callable[[Say], list[Row]]] = {
    "start": start.rows,
    "fleet": fleet.rows,
    "cluster": cluster.rows,
    "transfer": transfer.rows,
    "models": models.rows,
    "serving": serving.rows,
}
RECORD = Path("bench.json")


def main(words: list[str]) -> int:
    unknown = [word for word in words if word not in PARTS]
    if unknown:
        say(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
        return 2
    try:
        rows = [row for part in words or PARTS for row in PARTS[part](say)]
    except (BenchError, LabError) as problem:
        say(str(problem))
        return 2
    on = machine()
    RECORD.write_text(f"{json.dumps(as_json(rows, on), indent=2, ensure_ascii=False)}\n")
    sys.stdout.write(table(rows, on))
    return 1 if any(row.holds is False for row in rows) else 0


def say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
