"""Whose log `serve logs` shows, and on which hosts it is."""

from typing import Any

import pytest

from orchestrator.plan.facts.host import Facts, Unreachable
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.serving.logs import ServerLog, find_log
from orchestrator.plan.serving.state import Stopped
from orchestrator.plan.typed import ours
from tests.plan.serving.worlds import NAME, QWEN, ended, seen, serving
from tests.plan.worlds import bare, cluster, standing, with_host

FOLDER = "/var/tmp/raycluster/served/"
OLD = Stopped("old", "org/old", since=50)


def stopped(facts: Facts, host: str, *logs: Stopped) -> Facts:
    return with_host(facts, host, stopped=logs)


def why(found: Any) -> str:
    assert isinstance(found, HostProblem)
    return found.problem.text


@pytest.mark.parametrize("word", ["", NAME, QWEN.name])
def test_the_only_one_that_is_served_needs_no_name(word: str) -> None:
    facts = stopped(serving(cluster()), "gpu1", OLD)
    facts = with_host(facts, "gpu1", served=serving(cluster())["gpu1"].served)  # type: ignore[union-attr]
    assert find_log(cluster(), facts, word) == ServerLog(NAME, ("gpu1",), FOLDER + NAME)


def test_of_those_that_were_stopped_it_is_the_last_one_or_any_by_its_name() -> None:
    facts = stopped(standing(cluster()), "gpu1", OLD)
    facts = stopped(facts, "gpu2", Stopped("new", "org/new", since=5))
    assert find_log(cluster(), facts, "") == ServerLog("new", ("gpu2",), FOLDER + "new", ("old",))
    for word in ("old", "org/old"):
        assert find_log(cluster(), facts, word) == ServerLog("old", ("gpu1",), FOLDER + "old")
    assert why(find_log(cluster(), facts, "none")) == (
        "no log of none is there; there are logs of old (stopped), new (stopped)"
    )


def test_who_names_none_is_told_of_those_that_are_served_and_of_those_that_were_stopped() -> None:
    facts = with_host(serving(cluster()), "gpu1", stopped=(OLD, Stopped(NAME, QWEN.name)))
    assert why(find_log(cluster(), facts, "none")) == (
        f"no log of none is there; there are logs of {NAME}, old (stopped)"
    )


def test_the_log_that_is_advised_is_one_of_a_model_that_has_failed() -> None:
    two = seen(server="two"), seen(server="three", **ended())
    bad = Stopped("bad", "org/bad", failed=True)
    facts = with_host(serving(cluster()), "gpu1", served=(*two[:1], seen()), stopped=(OLD, bad))
    found = find_log(cluster(), facts, "")
    assert isinstance(found, HostProblem)
    assert found.problem == Problem(
        f"there are logs of {NAME}, two, old (stopped), bad (failed): name one", ours("serve logs", "bad")
    )
    found = find_log(cluster(), with_host(facts, "gpu1", served=two), "")
    assert isinstance(found, HostProblem)
    assert found.problem.fix == ours("serve logs", "three")


def test_of_ranks_that_were_stopped_only_those_of_the_last_life_are_shown() -> None:
    facts = standing(cluster())
    for host, run, since in (("gpu1", "two", 5), ("gpu2", "two", 6), ("gpu3", "one", 99)):
        facts = stopped(facts, host, Stopped("ranks", "org/ranks", run, since))
    assert find_log(cluster(), facts, "ranks") == ServerLog("ranks", ("gpu1", "gpu2"), FOLDER + "ranks")


def test_where_nothing_was_served_or_nobody_could_look_that_is_told() -> None:
    for word in ("", "one"):
        assert why(find_log(cluster(), standing(cluster()), word)) == "no model was served here"
        assert why(find_log(cluster(), bare(cluster()), word)) == (
            "the cluster is not up: no container of its head runs"
        )
    away = standing(cluster()) | {"gpu1": Unreachable("is away")}
    assert why(find_log(cluster(), away, "one")) == "is away"
