"""The rate of what flows."""

from orchestrator.remote.execute.rate import SPAN, Rate


def test_a_single_count_has_no_rate() -> None:
    assert Rate().at(100, 0.0) == 0.0


def test_it_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert [rate.at(10 * second, float(second)) for second in range(5)] == [0.0, 10.0, 10.0, 10.0, 10.0]
    slower = [rate.at(40 + second, 4.0 + second) for second in range(1, int(SPAN) + 1)]
    assert slower[0] > slower[-1] == 1.0


def test_two_counts_at_one_moment_are_no_division_by_nothing() -> None:
    rate = Rate()
    assert [rate.at(1, 5.0), rate.at(9, 5.0)] == [0.0, 0.0]
