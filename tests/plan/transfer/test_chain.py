"""The order of a chain, and who has to leave it."""

from orchestrator.plan.transfer.chain import Order, arrange, who_stands_still


def test_the_order_is_that_of_the_inventory() -> None:
    assert arrange("a", ["b", "c", "d"], ()).hosts == ("a", "b", "c", "d")


def test_a_host_that_is_not_reached_comes_last_where_nobody_has_to_reach_it() -> None:
    assert arrange("a", ["b", "c", "d"], {("b", "c")}) == Order(("a", "c", "d", "b"))


def test_a_host_that_does_not_reach_one_comes_to_another() -> None:
    assert arrange("a", ["b", "c"], {("a", "b")}) == Order(("a", "c", "b"))


def test_of_two_that_nobody_reaches_only_one_has_a_place() -> None:
    failed = {("b", "c"), ("b", "d"), ("c", "d"), ("c", "b")}
    assert arrange("a", ["b", "c", "d"], failed) == Order(("a", "d", "b"), ("c",))


def test_a_source_that_nobody_reaches_has_no_chain() -> None:
    assert arrange("a", ["b", "c", "d"], {("a", "b"), ("a", "c")}) == Order(("a",), ("b", "c", "d"))
    assert arrange("a", ["b"], {("a", "b")}) == Order(("a",), ("b",))


def test_who_has_left_is_gone_around() -> None:
    order = Order(("a", "b", "c", "d")).without("b")
    assert order.pairs == (("a", "c"), ("c", "d"))
    assert (order.before("a"), order.behind("d")) == (None, None)


def test_of_all_that_stand_still_the_last_is_the_one_that_holds_up_the_others() -> None:
    order = Order(("a", "b", "c", "d"))
    assert who_stands_still(order, {"a": 31, "b": 30.5}, {}) == "c"
    assert who_stands_still(order, {"a": 31, "b": 3.0}, {}) == "b"
    assert who_stands_still(order, {"a": 29, "b": 29}, {}) is None


def test_a_host_of_which_nothing_is_heard_either_is_not_waited_for_so_long() -> None:
    order = Order(("a", "b", "c"))
    assert who_stands_still(order, {"a": 9}, {"b": 9}) == "b"
    assert who_stands_still(order, {"a": 9}, {"c": 9}) is None
