"""`raycluster check --deep` as a person and as a program meet it."""

import json
import os
import signal
from threading import Event

import pytest

from orchestrator.cli.output.check_report import MOST, show_pairs
from orchestrator.plan.command import Command
from orchestrator.plan.facts.network_test import AllReduce, Network, Pair
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Failure, FailureKind
from tests.plan import ranks
from tests.plan.recordings import trial_line
from tests.remote.fakes import Answer, FakeFleet, held

from .conftest import Raycluster, sent


@pytest.fixture
def deep(good: FakeFleet, monkeypatch: pytest.MonkeyPatch) -> FakeFleet:
    """Two hosts that nothing is wrong with, nor with the network between them."""
    monkeypatch.setattr(Fleet, "timeouts", Timeouts(rank_grace=0.2))
    good.streams("gpu1", "raydeep-", *ranks.through(1))
    good.streams("gpu2", "raydeep-", *ranks.through())
    return good


def measured(fleet: FakeFleet) -> bool:
    return any("raydeep-" in line for line in fleet.lines())


@pytest.mark.usefixtures("deep")
def test_a_line_sums_it_up_and_each_pair_has_a_row(raycluster: Raycluster) -> None:
    check = raycluster("check", "--deep")
    assert (check.exit_code, check.stderr) == (0, "")
    assert [line.rstrip() for line in check.stdout.splitlines()][-5:] == [
        "✓ all-reduce all hosts  sum right; 5.4 Gb/s, latency 400 µs (gloo over TCP)",
        "FROM  TO        THERE      BACK  LATENCY  OVER",
        "gpu1  gpu2  10.0 Gb/s  8.0 Gb/s    30 µs  TCP",
        "cluster demo: 0 failures, 0 warnings on 2 hosts",
        "Next: raycluster up",
    ]


def test_without_it_nothing_is_measured(deep: FakeFleet, raycluster: Raycluster) -> None:
    check = raycluster("check", "-o", "json")
    assert (json.loads(check.stdout)["network"], measured(deep)) == (None, False)


@pytest.mark.usefixtures("deep")
def test_programs_are_told_in_bits_and_seconds(raycluster: Raycluster) -> None:
    check = raycluster("check", "--deep", "-o", "json")
    assert json.loads(check.stdout)["network"] == {
        "backend": "gloo",
        "all_reduce": {"right": True, "bytes": 67108864, "seconds": 0.1, "latency": 0.0004},
        "over": "TCP",
        "pairs": [
            {
                "first": "gpu1",
                "second": "gpu2",
                "there": 10e9,
                "back": 8e9,
                "latency": 0.00003,
                "over": "TCP",
            }
        ],
    }


def test_an_image_without_torch_is_a_failure_with_a_line_that_mends_it(
    deep: FakeFleet, raycluster: Raycluster
) -> None:
    deep.streams("*", "raydeep-", ranks.line("no-torch", why="No module named 'torch'"))
    check = raycluster("check", "--deep")
    assert check.exit_code == 3
    told = check.stdout.splitlines()
    at = told.index("✗ torch      all hosts  the image's torch cannot be used: No module named 'torch'")
    assert told[at + 1].startswith(
        "               → vLLM cannot run in it either. Take an image with vLLM: inventory.yaml:2: "
    )
    assert not any(line.startswith("FROM") for line in told)


def test_a_host_that_is_lost_is_a_failure_and_what_was_measured_before_is_shown(
    deep: FakeFleet, raycluster: Raycluster
) -> None:
    deep.streams("gpu1", "raydeep-", *ranks.through(1)[:-1])
    gone = Failure(FailureKind.UNREACHABLE, "does not answer any more")
    deep.streams("gpu2", "raydeep-", *ranks.through()[:4], gone)
    check = raycluster("check", "--deep")
    assert check.exit_code == 3
    assert "✗ all-reduce gpu2  its rank ended before the others: does not answer any more" in check.stdout
    assert "\ngpu1  gpu2  10.0 Gb/s" in check.stdout


def test_where_a_host_cannot_be_used_nothing_is_measured(deep: FakeFleet, raycluster: Raycluster) -> None:
    deep.on("gpu2", sent("observe"), Failure(FailureKind.UNREACHABLE, "10.0.0.2:22 refuses connections"))
    check = raycluster("check", "--deep")
    assert (check.exit_code, measured(deep)) == (3, False)
    assert "! all-reduce gpu1  not measured, for it needs all hosts\n" in check.stdout
    assert "→ fix gpu2 first" in check.stdout


def test_what_has_nothing_to_do_with_the_network_does_not_stand_in_the_way(
    deep: FakeFleet, raycluster: Raycluster
) -> None:
    deep.streams("*", "raytrial-", trial_line(ray=None))
    assert raycluster("check", "--deep").exit_code == 3
    assert measured(deep)


def test_ctrl_c_ends_the_ranks_and_nothing_is_judged(deep: FakeFleet, raycluster: Raycluster) -> None:
    def interrupts(command: Command, cancel: Event) -> Answer:
        os.kill(os.getpid(), signal.SIGINT)
        return held(command, cancel)

    deep.streams("gpu2", "raydeep-", ranks.ready(), interrupts)
    check = raycluster("check", "--deep")
    assert (check.exit_code, check.stdout) == (130, "")
    assert deep.closed == {"gpu1", "gpu2"}


def many(hosts: int) -> Network:
    pairs = tuple(
        Pair(f"gpu{one}", f"gpu{other}", 1e9 * other, 1e9 * other, 1e-5, "RDMA")
        for one in range(1, hosts + 1)
        for other in range(one + 1, hosts + 1)
    )
    return Network("nccl", AllReduce(right=True, bytes=1, seconds=1.0, latency=1.0), "RDMA", pairs)


def test_of_many_pairs_the_slowest_are_shown_and_how_all_are(capsys: pytest.CaptureFixture[str]) -> None:
    show_pairs(many(9), 9)
    head, *rows, last = capsys.readouterr().out.splitlines()
    assert head.startswith("FROM")
    assert len(rows) == MOST
    assert rows[0].split()[:3] == ["gpu1", "gpu2", "2.0"]
    assert (
        last
        == "the slowest 15 of the 36 pairs that were measured: all have 2.0 Gb/s to 9.0 Gb/s, median 7.0 Gb/s"
    )


def test_where_not_all_pairs_were_measured_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    show_pairs(many(9), 40)
    assert "the slowest 15 of the 36 of 780 pairs that were measured: " in capsys.readouterr().out
