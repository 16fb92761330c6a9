"""Runs in turn, and what of them counts."""

import sys

import pytest

from tests.bench.measure import BenchError, Run, Way, cpu, peak, side_by_side, timed, wall


def test_each_way_is_warmed_and_the_order_turns_with_each_round() -> None:
    order: list[str] = []

    def way(name: str) -> Way:
        def run() -> Run:
            order.append(name)
            return Run(len(order), 0, 0)

        return run

    runs = side_by_side({name: way(name) for name in "abc"}, rounds=3)
    assert "".join(order) == "abc" + "abc" + "bca" + "cab"
    assert [run.wall for run in runs["a"]] == [4, 9, 11]  # the first, which warms up, is forgotten


def test_times_are_medians_and_memory_is_the_most() -> None:
    runs = [Run(1, 30, 7), Run(9, 10, 5), Run(2, 20, 6)]
    assert (wall(runs), cpu(runs), peak(runs)) == (2, 20, 7)


def test_a_command_is_measured_with_what_it_started() -> None:
    busy = "import time; begun = time.process_time()\nwhile time.process_time() < begun + 0.2: pass"
    starter = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}]); print('done')"
    run, said = timed([sys.executable, "-c", starter])
    assert said == "done\n"
    assert run.cpu >= 0.2
    assert run.peak > 1_000_000


def test_a_command_that_fails_is_not_measured() -> None:
    with pytest.raises(BenchError, match="exit 3\nno such host"):
        timed(["sh", "-c", "echo no such host; exit 3"])
    assert timed(["sh", "-c", "exit 3"], good=(3,))[1] == ""
