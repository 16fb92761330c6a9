"""What is told of a run of `ray up`; the run itself needs the lab, and is `make bench`'s."""

from tests.bench.launcher import BOUND, Seen


def test_it_has_taken_until_the_last_node_was_alive() -> None:
    seen = Seen(3, {1: 20.0, 2: 41.2, 3: 60.0}, 22.0)
    assert (seen.is_complete, seen.seconds) == (True, 60.0)
    assert (
        str(seen)
        == "ray up returned at 22 s, node 1 alive at 20 s, node 2 alive at 41 s, node 3 alive at 60 s"
    )


def test_a_node_that_never_came_is_told_and_was_waited_for_to_the_end() -> None:
    seen = Seen(3, {1: 20.0, 2: 41.2}, None)
    assert (seen.is_complete, seen.seconds) == (False, BOUND)
    assert str(seen) == "ray up did not return, node 1 alive at 20 s, node 2 alive at 41 s"
