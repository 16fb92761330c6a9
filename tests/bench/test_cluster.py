"""The arithmetic of a row; what is behind it is measured on the lab's hosts."""

import pytest

from tests.bench.cluster import HAND, less_the_starts


def test_what_is_no_talk_with_hosts_is_taken_off_and_told() -> None:
    row = less_the_starts("status", 1.8, 0.7, {"python": 0.6, HAND: 0.4})
    assert row.value == pytest.approx(0.5 / 0.4)
    assert row.holds is True
    assert row.note == (
        "0.50 s to 0.40 s: 1.80 s less 0.70 s until it is there"
        " and 0.60 s for one Python with Ray's client in the head's container"
    )
