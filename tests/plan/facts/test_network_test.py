"""Who measures with whom in a deep check, and what is made of what the ranks tell."""

from collections import Counter
from itertools import combinations

import pytest

from orchestrator.plan.facts import network_test
from orchestrator.plan.facts.network_test import AllReduce, Pair, Rank, Stage, Trouble
from tests.plan import ranks

HOSTS = ("gpu1", "gpu2", "gpu3")


def pairs(partners: tuple[tuple[int, ...], ...]) -> Counter[tuple[int, int]]:
    return Counter(
        (min(rank, other), max(rank, other)) for rank, each in enumerate(partners) for other in each
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 16])
def test_up_to_sixteen_hosts_each_measures_once_with_each(count: int) -> None:
    told = pairs(network_test.partners(count))
    assert set(told) == set(combinations(range(count), 2))
    assert set(told.values()) <= {2}  # each of the two has the other


@pytest.mark.parametrize("count", [17, 40, 301])
def test_of_more_hosts_each_measures_with_six(count: int) -> None:
    partners = network_test.partners(count)
    assert {len(set(each)) for each in partners} == {6}
    assert set(pairs(partners).values()) == {2}


def test_sixteen_hosts_need_fifteen_rounds_and_hundreds_no_more() -> None:
    assert rounds(network_test.partners(16)) == 15
    assert rounds(network_test.partners(301)) <= 15


@pytest.mark.parametrize("count", [2, 3, 5, 9, 17, 40])
def test_no_rank_ever_waits_for_one_that_waits_for_it(count: int) -> None:
    partners = network_test.partners(count)
    assert rounds(partners) >= max(map(len, partners))


def rounds(partners: tuple[tuple[int, ...], ...]) -> int:
    """In how many rounds all are through, each rank taking its partners in order, and both at once."""
    left, count = [list(each) for each in partners], 0
    while any(left):
        met = [rank for rank, each in enumerate(left) if each and left[each[0]][0] == rank]
        assert met, "all wait"
        for rank in met:
            left[rank].pop(0)
        count += 1
    return count


def test_a_rank_that_is_through_has_told_everything() -> None:
    told = network_test.parse_rank(HOSTS, "gpu1", ranks.through(1, 2))
    assert told == Rank(
        stage=Stage.DONE,
        backend="gloo",
        reduced=AllReduce(right=True, bytes=67108864, seconds=0.1, latency=0.0004),
        pairs=(
            Pair("gpu1", "gpu2", 10e9, 8e9, 0.00003, network_test.TCP),
            Pair("gpu1", "gpu3", 10e9, 8e9, 0.00003, network_test.TCP),
        ),
    )
    assert told.bad == ""


@pytest.mark.parametrize(
    ("count", "stage"),
    [
        (0, Stage.STARTING),
        (1, Stage.READY),
        (2, Stage.JOINED),
        (3, Stage.REACHED),
        (4, Stage.REDUCED),
        (5, Stage.REDUCED),
        (6, Stage.DONE),
    ],
)
def test_each_line_brings_it_further(count: int, stage: Stage) -> None:
    assert network_test.parse_rank(HOSTS, "gpu1", ranks.through(1)[:count]).stage is stage


def test_a_pair_goes_by_what_nccl_said_of_it_and_else_by_what_it_said_before() -> None:
    said = [ranks.reduced("nccl", ranks.RDMA), ranks.pair(1, log=(ranks.TCP,)), ranks.pair(2)]
    told = network_test.parse_rank(HOSTS, "gpu1", said)
    assert [each.over for each in told.pairs] == [network_test.TCP, network_test.DIRECT]


def test_what_it_failed_at_is_told_with_the_hosts_names() -> None:
    said = [ranks.failed("pair", "Connection closed by peer", lost=(2,), partner=1)]
    told = network_test.parse_rank(HOSTS, "gpu1", said)
    assert told.trouble == Trouble("pair", "gpu2", "Connection closed by peer", ("gpu3",), ())
    assert told.bad == "Connection closed by peer"


def test_whom_it_does_not_reach_is_told_by_name() -> None:
    told = network_test.parse_rank(HOSTS, "gpu2", [ranks.line("reached", closed=[0, 2])])
    assert (told.closed, told.bad) == (("gpu1", "gpu3"), "does not reach gpu1, gpu3")


@pytest.mark.parametrize(
    "line",
    [
        "Welcome to gpu1!",
        "{",
        "[]",
        "7",
        "null",
        "{}",
        ranks.line("else"),
        ranks.pair(9),
        ranks.line("pair", partner=1),
        ranks.pair(1, there=float("nan")),
        ranks.pair(1, back=0),
        ranks.line("reached", closed=7),
        ranks.line("reached", closed=["gpu1"]),
        ranks.line("all-reduce", backend="gloo", right=True, bytes="many", seconds=1, latency=1, log=[]),
    ],
)
def test_a_line_that_makes_no_sense_is_a_greeting(line: str) -> None:
    said = ranks.through(1)
    assert network_test.parse_rank(HOSTS, "gpu1", [line, *said, line]) == network_test.parse_rank(
        HOSTS, "gpu1", said
    )


def test_all_ranks_make_one_network() -> None:
    told = {
        "gpu1": network_test.parse_rank(HOSTS, "gpu1", ranks.through(2, 1)),
        "gpu2": network_test.parse_rank(HOSTS, "gpu2", ranks.through(2)),
        "gpu3": network_test.parse_rank(HOSTS, "gpu3", [*ranks.through()[:3], ranks.reduced(right=False)]),
    }
    network = network_test.network(told)
    assert network
    assert (network.backend, network.over, network.all_reduce.right) == ("gloo", "TCP", False)
    assert [(each.first, each.second) for each in network.pairs] == [
        ("gpu1", "gpu2"),
        ("gpu1", "gpu3"),
        ("gpu2", "gpu3"),
    ]


def test_without_an_all_reduce_there_is_no_network() -> None:
    assert network_test.network({"gpu1": network_test.parse_rank(HOSTS, "gpu1", ranks.through()[:3])}) is None
