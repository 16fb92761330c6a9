"""How far a step is: share and time left, as far as they can be known."""

from orchestrator.plan.progress import Progress, size


def test_share_and_time_left_are_those_of_the_rest_at_this_rate() -> None:
    far = Progress(done=100, total=400, rate=50)
    assert (far.share, far.left) == (0.25, 6.0)


def test_nothing_is_made_up_of_what_is_not_known() -> None:
    assert (Progress(100, rate=50).share, Progress(100, rate=50).left) == (None, None)
    assert Progress(100, 400).left is None
    assert Progress(0, 400).share == 0.0


def test_more_than_was_told_beforehand_is_all_of_it() -> None:
    far = Progress(done=500, total=400, rate=50)
    assert (far.share, far.left) == (1.0, None)


def test_sizes_have_two_to_four_digits() -> None:
    assert [size(count) for count in (7_100, 999_400, 340e6, 1.24e9)] == [
        "7 kB",
        "999 kB",
        "340 MB",
        "1.2 GB",
    ]
