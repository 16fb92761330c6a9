"""What a deep check finds, given what the ranks have told."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.model.cluster import Accelerator, Cluster
from orchestrator.plan.checks import Evidence, Finding, Level, check_network, not_measurable
from orchestrator.plan.checks.finding import failure, warning
from orchestrator.plan.checks.network_test import AT_REST, ENDED, LOST, MEMORY, NO_TORCH, slow_hosts
from orchestrator.plan.checks.network_test import better_quarter as better
from orchestrator.plan.facts import network_test
from orchestrator.plan.facts.host import Facts
from orchestrator.plan.facts.network_test import Pair, Rank
from orchestrator.plan.problem import Problem
from orchestrator.plan.typed import ours, there
from tests.plan import ranks
from tests.plan.checks.samples import TRIAL, good
from tests.plan.worlds import cluster, node, with_host

if TYPE_CHECKING:
    from orchestrator.plan.facts.probe import Trial

DEMO = cluster()
HOSTS = ("gpu1", "gpu2", "gpu3")
TRIED = Evidence(trials=dict.fromkeys(HOSTS, TRIAL))


def told(*said: list[str] | str, **ended: str) -> dict[str, Rank]:
    """The ranks, by what each of them has said; a text is what it said in the end, after all was well so far."""
    lines = (each if isinstance(each, list) else [*ranks.through()[:3], each] for each in said)
    return {
        host: network_test.parse_rank(HOSTS, host, each, ended.get(host, ""))
        for host, each in zip(HOSTS, lines, strict=True)
    }


ALL_WELL = (ranks.through(1, 2), ranks.through(2), ranks.through())


def found(told: dict[str, Rank], of: Cluster = DEMO, facts: Facts | None = None) -> list[Finding]:
    return list(check_network(of, facts or good(of), told))


def bad(told: dict[str, Rank], of: Cluster = DEMO, facts: Facts | None = None) -> list[Finding]:
    return [each for each in found(told, of, facts) if each.level is not Level.OK]


def test_a_network_in_good_order_is_told_of_each_host() -> None:
    texts = {(each.host, each.level, each.text) for each in found(told(*ALL_WELL))}
    text = "sum right; 5.4 Gb/s, latency 400 µs (gloo over TCP)"
    assert texts == {(host, Level.OK, text) for host in HOSTS}


def test_a_wrong_sum_is_a_failure_of_the_host_to_which_it_came() -> None:
    wrong = [*ranks.through()[:3], ranks.reduced(right=False), ranks.DONE]
    (finding,) = bad(told(ranks.through(1, 2), ranks.through(2), wrong))
    assert (finding.host, finding.level) == ("gpu3", Level.FAILURE)
    assert finding.text == "the sum that came to it is wrong (gloo over TCP)"


def test_an_image_without_torch_is_told_and_not_that_the_others_waited() -> None:
    none = [ranks.line("no-torch", why="ModuleNotFoundError: No module named 'torch'")]
    text = "the image's torch cannot be used: ModuleNotFoundError: No module named 'torch'"
    assert bad(told([ranks.ready()], none, none)) == [
        failure("gpu2", "torch", text, NO_TORCH),
        failure("gpu3", "torch", text, NO_TORCH),
    ]


def test_a_rank_that_ended_is_told_with_its_words_and_not_that_others_lost_it() -> None:
    lost = ranks.failed("all-reduce", "Connection closed by peer", lost=(2,))
    (finding,) = bad(told(lost, lost, ranks.REACHED, gpu3="exit code 137"))
    assert finding == failure("gpu3", "all-reduce", "its rank ended before the others: exit code 137", ENDED)


def test_workers_that_do_not_reach_each_other_are_told_as_links_are() -> None:
    closed = [ranks.ready(), ranks.JOINED, ranks.line("reached", closed=[2])]
    (finding,) = bad(told(closed, closed, ranks.REACHED))
    assert (finding.host, finding.topic) == ("gpu3", "network")
    assert finding.text.startswith("gpu1, gpu2 do not reach it at a free port, as NCCL and gloo take one")
    assert finding.fix == there("sudo iptables -I INPUT -p tcp -s 10.0.0.1,10.0.0.2,10.0.0.3 -j ACCEPT")


@pytest.mark.parametrize(
    "third", [ranks.REACHED, ranks.failed("pair", "nothing came for 8 s", lost=(0, 1), partner=0)]
)
def test_whom_most_have_lost_is_named_whatever_it_says_of_the_others(third: str) -> None:
    lost = ranks.failed("pair", "nothing came for 8 s", lost=(2,), partner=1)
    (finding,) = bad(told(lost, lost, third))
    text = "was lost during measuring with gpu2: gpu1, gpu2 do not reach it any more"
    assert finding == failure("gpu3", "all-reduce", text, LOST)


def test_two_that_lose_each_other_are_both_named() -> None:
    one = ranks.failed("all-reduce", "reset", lost=(1,))
    other = ranks.failed("all-reduce", "reset", lost=(0,))
    assert [(each.host, each.text) for each in bad(told(one, other, ranks.REACHED))] == [
        ("gpu2", "was lost during the all-reduce: gpu1 does not reach it any more"),
        ("gpu1", "was lost during the all-reduce: gpu2 does not reach it any more"),
    ]


def test_where_nobody_is_lost_each_tells_what_it_failed_at() -> None:
    (finding,) = bad(told(ranks.REACHED, ranks.failed("connect", "no such interface\nat x"), ranks.REACHED))
    assert finding == failure(
        "gpu2",
        "all-reduce",
        "joining torch.distributed failed: no such interface",
        AT_REST,
        "no such interface\nat x",
    )


def test_torchs_words_are_told_without_the_places_in_its_source() -> None:
    place = "[/__w/pytorch/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:152]"
    why = f"Gloo connectFullMesh failed with {place} timed out connecting: remote=[127.0.0.1]:13198$0"
    (finding,) = bad(told(ranks.failed("connect", why), ranks.REACHED, ranks.REACHED))
    assert finding.text == (
        "joining torch.distributed failed: Gloo connectFullMesh failed with"
        " timed out connecting: remote=[127.0.0.1]:13198$0"
    )


def test_another_interface_in_the_inventory_is_what_it_is_put_down_to() -> None:
    stray = node(3, env=(("GLOO_SOCKET_IFNAME", "docker0"),))
    of = replace(DEMO, workers=(node(2), stray))
    (finding,) = bad(told(ranks.failed("connect", "refused"), ranks.REACHED, ranks.REACHED), of)
    assert finding.fix == (
        "GLOO_SOCKET_IFNAME is docker0 on gpu3, whose `ip` is on eth0: take it out of `env`"
    )


@pytest.mark.parametrize("value", ["eth", "=eth0", "ib0,eth0", "^docker0"])
def test_nccls_way_to_name_the_same_interface_is_no_fault(value: str) -> None:
    of = replace(DEMO, workers=(node(2), node(3, env=(("NCCL_SOCKET_IFNAME", value),))))
    (finding,) = bad(told(ranks.failed("connect", "refused"), ranks.REACHED, ranks.REACHED), of)
    assert finding.fix == AT_REST


def test_a_gpu_that_is_full_is_told_as_that() -> None:
    (finding,) = bad(told(ranks.failed("connect", "CUDA out of memory."), ranks.REACHED, ranks.REACHED))
    assert finding.fix == MEMORY


def test_who_is_furthest_behind_when_time_is_up_is_named() -> None:
    (finding,) = bad(told([ranks.ready(), ranks.JOINED], [ranks.ready(), ranks.JOINED], [ranks.ready()]))
    assert (finding.host, finding.text) == ("gpu3", "its rank found no way to the head's")


def nccl_ranks(*log: str) -> dict[str, Rank]:
    return told(*(ranks.through(gpu="NVIDIA H100", backend="nccl", log=log) for _ in HOSTS))


def on(facts: Facts, *hosts: str, **changes: Any) -> Facts:
    for host in hosts:
        facts = with_host(facts, host, **changes)
    return facts


def test_rdma_that_is_taken_is_told() -> None:
    texts = [
        each.text
        for each in found(nccl_ranks(ranks.RDMA), facts=on(good(DEMO), "gpu2", infiniband=True))
        if each.host == "gpu2"
    ]
    assert texts == [
        "sum right; 5.4 Gb/s, latency 400 µs (NCCL over RDMA, GPUDirect)",
        "measured by its first one alone, NVIDIA H100",
        "NCCL went over RDMA, GPUDirect",
    ]


def test_rdma_devices_that_are_not_taken_are_a_warning_with_the_reason() -> None:
    facts = on(good(DEMO), "gpu2", infiniband=True)
    log = ("gpu2:7:9 [0] NCCL INFO Failed to open libibverbs.so[.1]", ranks.TCP)
    text = "has RDMA devices, but NCCL went over TCP"
    assert bad(nccl_ranks(*log), facts=facts) == [warning("gpu2", "rdma", text, network_test.NO_VERBS)]


def test_gloo_proves_nothing_of_rdma_and_says_so() -> None:
    facts = on(good(DEMO), "gpu2", infiniband=True)
    (text,) = [each.text for each in found(told(*ALL_WELL), facts=facts) if each.topic == "rdma"]
    assert text == "gloo knows only TCP: whether NCCL takes RDMA was not seen"


def test_gpus_that_the_images_torch_does_not_see_are_a_warning() -> None:
    of = replace(DEMO, workers=(node(2, accelerator=Accelerator.NVIDIA), node(3)))
    (finding,) = bad(told(*ALL_WELL), of)
    assert (finding.host, finding.topic, finding.level) == ("gpu2", "gpus", Level.WARNING)


def pairs(count: int, **slower: float) -> tuple[Pair, ...]:
    """Each with each at 10 Gb/s, but for those that are named, as `_1_2`."""
    return tuple(
        Pair(f"gpu{one}", f"gpu{other}", 10e9, slower.get(f"_{one}_{other}", 10.0) * 1e9, 1e-5, "TCP")
        for one in range(1, count + 1)
        for other in range(one + 1, count + 1)
    )


def test_pairs_that_are_alike_are_no_finding() -> None:
    assert list(slow_hosts(pairs(4, _1_2=6.0))) == []
    assert list(slow_hosts(pairs(2, _1_2=0.1))) == []  # slower than what?
    assert list(slow_hosts(())) == []


@pytest.mark.parametrize("count", [3, 4, 9])
def test_a_host_that_is_slow_with_all_others_is_named_once(count: int) -> None:
    slower = {f"_{other}_{count}": 1.0 for other in range(1, count)}
    (finding,) = slow_hosts(pairs(count, **slower))
    assert (finding.host, finding.level) == (f"gpu{count}", Level.WARNING)
    assert finding.text == (
        "is slow with every other host, at most 1.0 Gb/s: the better pairs carry 10.0 Gb/s"
    )


def test_a_pair_alone_is_named_as_that() -> None:
    (finding,) = slow_hosts(pairs(4, _2_3=4.9))
    assert (finding.host, finding.text) == (
        "gpu3",
        "is slow with gpu2, 4.9 Gb/s: the better pairs carry 10.0 Gb/s",
    )


def test_what_the_better_pairs_carry_is_no_one_pairs_luck() -> None:
    lucky = tuple(
        replace(each, back=40e9, there=40e9) if each.second == "gpu2" else each for each in pairs(5)
    )
    assert better(lucky) == 10e9


def test_nothing_stands_in_the_way_of_a_cluster_in_good_order() -> None:
    assert not_measurable(DEMO, (), TRIED) is None


def test_a_single_host_has_nothing_to_measure() -> None:
    finding = not_measurable(cluster(workers=0), (), TRIED)
    assert finding
    assert finding.level is Level.OK


def test_a_host_that_cannot_be_used_is_to_be_mended_first() -> None:
    broken = (failure("gpu2", "ssh", "refused"), failure("gpu3", "ports", "held"))
    assert not_measurable(DEMO, broken, TRIED) == warning(
        "gpu1", "all-reduce", "not measured, for it needs all hosts", "fix gpu2 first"
    )


def test_an_image_that_is_not_there_yet_is_to_be_pulled_first() -> None:
    trials: dict[str, Trial | Problem] = {"gpu1": TRIAL, "gpu2": Problem("no")}
    finding = not_measurable(DEMO, (), Evidence(trials=trials))
    assert finding
    assert (finding.text, finding.fix) == (
        "not measured, for it needs the image on all hosts, and gpu2, gpu3 lack it",
        ours("pull"),
    )
