"""`raycluster check --deep` on real hosts, by real torch: what it measures, and whom it names when it cannot."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.seeing import containers, finished

from .inventory import for_vllm

SLOW = ["root", "tbf", "rate", "40mbit", "burst", "32k", "latency", "50ms"]
RANKS = {f"raydeep-lab-{host}" for host in ("gpu1", "gpu2", "gpu3")}
DROP = ("INPUT", "-p", "tcp", "--syn", "-s", "192.0.2.12", "-j", "DROP")


def inventory(lab: Lab) -> Path:
    return lab.inventory(**for_vllm())


def deep(lab: Lab) -> dict[str, Any]:
    """The answer, with the exit code that it came with."""
    check = lab.raycluster("check", "--deep", inventory(lab), "-o", "json", timeout=200)
    told: dict[str, Any] = json.loads(check.stdout)
    return told | {"exit_code": check.returncode}


def bad(told: dict[str, Any]) -> dict[tuple[str, str], str]:
    """What is no good news of the network, by host and topic."""
    found = [each for each in told["findings"] if each["level"] != "ok"]
    topics = ("network", "all-reduce", "torch")
    return {(each["host"], each["topic"]): each["text"] for each in found if each["topic"] in topics}


@contextmanager
def slow(host: Host) -> Iterator[None]:
    """What the host sends goes at 40 Mbit/s."""
    host.run("tc", "qdisc", "add", "dev", "eth0", *SLOW)
    try:
        yield
    finally:
        host.run("tc", "qdisc", "del", "dev", "eth0", "root")


def test_three_hosts_sum_rightly_and_each_pair_has_a_line(lab: Lab) -> None:
    check = lab.raycluster("check", "--deep", inventory(lab), timeout=200)
    assert check.returncode == 0, check.stdout + check.stderr
    *_, head, one, two, three, last, _ = check.stdout.splitlines()
    assert "✓ all-reduce all hosts  sum right; " in check.stdout
    assert head.split() == ["FROM", "TO", "THERE", "BACK", "LATENCY", "OVER"]
    pairs = [line.split() for line in (one, two, three)]
    assert [pair[:2] for pair in pairs] == [["gpu1", "gpu2"], ["gpu1", "gpu3"], ["gpu2", "gpu3"]]
    assert {pair[-1] for pair in pairs} == {"TCP"}
    assert last.startswith("cluster lab: 0 failures, ")
    assert containers(lab, "raycluster.trial") == {}


def test_a_host_that_sends_slowly_is_named(lab: Lab) -> None:
    with slow(lab.hosts["gpu3"]):
        told = deep(lab)
    (((host, topic), text),) = bad(told).items()
    assert (host, topic, told["exit_code"]) == ("gpu3", "network", 0)
    assert text.startswith("is slow with every other host, at most ")
    speeds = {(pair["first"], pair["second"]): pair["back"] for pair in told["network"]["pairs"]}
    assert speeds["gpu1", "gpu3"] < 40e6 < 4 * speeds["gpu1", "gpu3"]
    assert speeds["gpu1", "gpu2"] > 400e6


def test_a_firewall_between_two_workers_is_found_which_the_ordinary_check_does_not_try(lab: Lab) -> None:
    gpu3 = lab.hosts["gpu3"]
    gpu3.run("iptables", "-I", *DROP)
    try:
        told = deep(lab)
    finally:
        gpu3.run("iptables", "-D", *DROP)
    (((host, topic), text),) = bad(told).items()
    assert (host, topic, told["exit_code"], told["network"]) == ("gpu3", "network", 3, None)
    assert text.startswith("gpu2 does not reach it at a free port, as NCCL and gloo take one")


def test_a_host_that_is_cut_off_meanwhile_is_named_and_nothing_is_left_anywhere(lab: Lab) -> None:
    gpu3 = lab.hosts["gpu3"]
    joined = ("ss", "-Htn", "state", "established", "src", gpu3.address, "dst", lab.hosts["gpu2"].address)
    with slow(gpu3):
        check = lab.raycluster_popen("check", "--deep", inventory(lab), "-o", "json")
        wait_until("gpu3 talks to gpu2", lambda: bool(gpu3.run(*joined).stdout), 90)
        gpu3.cut()
        answer = finished(check, 60)
        gpu3.mend()
    told = json.loads(answer.stdout)
    assert answer.returncode == 3, answer.stderr
    assert set(bad(told)) == {("gpu3", "all-reduce")}
    wait_until("no rank is left", lambda: containers(lab, "raycluster.trial") == {}, 60)


def test_ctrl_c_ends_the_ranks_on_every_host(lab: Lab) -> None:
    check = lab.raycluster_popen("check", "--deep", inventory(lab))
    wait_until("ranks run", lambda: set(containers(lab, "raycluster.trial")) == RANKS)
    check.send_signal(signal.SIGINT)
    answer = finished(check, 20)
    assert (answer.returncode, answer.stdout) == (130, "")
    wait_until("no rank is left", lambda: containers(lab, "raycluster.trial") == {}, 20)
