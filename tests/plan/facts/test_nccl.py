"""What NCCL's lines tell of the way that data took; the lines are recorded ones."""

import pytest

from orchestrator.plan.facts import network_test as nccl

# https://github.com/NVIDIA/nccl/issues/707
GDRDMA = (
    "10-90-43-152:120890:121560 [0] NCCL INFO Channel 01 : 2[c7000] -> 0[87000] [receive] via NET/IB/5/GDRDMA"
)
# https://github.com/NVIDIA/nccl/issues/1814
PLUGIN = "hostname-test:982:1255 [2] NCCL INFO Channel 00/0 : 18[2] -> 34[2] [receive] via NET/IBext_v8/0"
# https://github.com/NVIDIA/nccl/issues/1597
LIBFABRIC = (
    "8h200-2:14630:14695 [1] NCCL INFO Channel 07/0 : 1[1] -> 0[0] [send] via NET/AWS Libfabric/1/GDRDMA"
)
# https://github.com/NVIDIA/nccl/issues/1232
SOCKET = "[0] node0:13571:13571 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[0] [send] via NET/Socket/0"
MEMORY = "[2] node0:13572:13572 [1] NCCL INFO Channel 00 : 2[1] -> 0[0] via SHM/direct/direct"
# https://github.com/NVIDIA/nccl/issues/1053
DISABLED = "axa:3048391:3048566 [0] NCCL INFO NCCL_IB_DISABLE set by environment to 1."
USING_SOCKET = "axa:3048391:3048566 [0] NCCL INFO Using network Socket"
# https://github.com/NVIDIA/nccl/issues/226
NO_DEVICE = "ip-172-31-12-21:45361:45361 [0] NCCL INFO NET/IB : No device found."
# https://github.com/NVIDIA/nccl/issues/1410
NO_VERBS = "h100-gn6nd:2340:2384 [4] NCCL INFO Failed to open libibverbs.so[.1]"
# Written as https://github.com/NVIDIA/nccl/blob/v2.21.5-1/src/transport/net.cc writes it, with the proxy's rank.
PROXY = "gpu1:7:9 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[0] [send] via NET/IB/0(1)/GDRDMA/Shared"


@pytest.mark.parametrize(
    ("lines", "way"),
    [
        ((GDRDMA,), nccl.DIRECT),
        ((LIBFABRIC,), nccl.DIRECT),
        ((PROXY,), nccl.DIRECT),
        ((PLUGIN,), nccl.RDMA),
        ((SOCKET, MEMORY), nccl.TCP),
        ((USING_SOCKET,), nccl.TCP),
        ((MEMORY,), ""),
        ((), ""),
    ],
)
def test_the_way_is_told_from_rdma_with_and_without_the_cpu_in_it_and_from_tcp(
    lines: tuple[str, ...], way: str
) -> None:
    assert nccl.transport("nccl", lines) == way


def test_of_several_ways_the_worst_counts() -> None:
    assert nccl.transport("nccl", (GDRDMA, PLUGIN)) == nccl.RDMA
    assert nccl.transport("nccl", (GDRDMA, SOCKET, PLUGIN)) == nccl.TCP


def test_what_was_taken_counts_for_more_than_what_was_chosen() -> None:
    assert nccl.transport("nccl", (USING_SOCKET, GDRDMA)) == nccl.DIRECT


@pytest.mark.parametrize(
    ("lines", "fix"),
    [
        ((NO_DEVICE, DISABLED, USING_SOCKET), nccl.DISABLED),
        ((NO_VERBS, USING_SOCKET), nccl.NO_VERBS),
        ((NO_DEVICE, USING_SOCKET), nccl.NO_DEVICE),
        ((SOCKET,), "`ibv_devinfo` on the host should say PORT_ACTIVE; NCCL_IB_HCA names the device to use"),
    ],
)
def test_why_it_was_tcp_comes_with_a_line_that_mends_it(lines: tuple[str, ...], fix: str) -> None:
    assert nccl.no_rdma(lines) == fix
