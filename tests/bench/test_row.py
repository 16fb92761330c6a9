"""Whether a limit is kept."""

import pytest

from tests.bench.row import Row


@pytest.mark.parametrize(
    ("value", "limit", "more", "holds"),
    [
        (1.15, 1.15, False, True),
        (1.16, 1.15, False, False),
        (0.5, 0.0, True, True),
        (-0.5, 0.0, True, False),
        (99.0, None, False, None),
        (99.0, None, True, None),
    ],
)
def test_a_limit_is_kept_up_to_itself(
    value: float, limit: float | None, more: bool, holds: bool | None
) -> None:
    assert Row("exec", "by hand", value, limit=limit, more=more).holds is holds
