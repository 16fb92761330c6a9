"""The rows as people and programs read them."""

import json

from tests.bench.row import Row
from tests.bench.table import as_json, table

MACHINE = {"date": "2026-03-01", "cpu": "2 of some kind"}
ROWS = [
    Row("exec, 50 hosts", "by hand", 1.5, limit=1.15, note="3 s to 2 s"),
    Row("status", "beyond", 0.25, "s", 1.0),
    Row("clush", "by the clock", 6.512, "s"),
    Row("status", "before", 2.0, "s", 0.0, more=True),
]


def test_a_line_for_each_row_says_whether_its_limit_is_kept() -> None:
    assert table(ROWS, MACHINE) == (
        "2026-03-01, 2 of some kind\n"
        "\n"
        "what            beside        measured  limit     kept  note\n"
        "exec, 50 hosts  by hand       1.5 ×     ≤ 1.15 ×  NO    3 s to 2 s\n"  # noqa: RUF001
        "status          beyond        0.25 s    ≤ 1 s     yes\n"
        "clush           by the clock  6.512 s\n"
        "status          before        2 s       ≥ 0 s     yes\n"
    )


def test_the_json_has_the_same_and_what_it_was_measured_on() -> None:
    told = json.loads(json.dumps(as_json(ROWS, MACHINE)))
    assert told["machine"] == MACHINE
    assert [row["holds"] for row in told["rows"]] == [False, True, None, True]
    assert told["rows"][0]["note"] == "3 s to 2 s"
    assert told["rows"][2]["limit"] is None
