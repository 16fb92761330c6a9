"""What is read from a trial's answers."""

import json
from typing import Any

import pytest

from orchestrator.plan.facts import probe
from orchestrator.plan.facts.probe import Link, Outcome
from orchestrator.plan.problem import Problem


@pytest.mark.parametrize(
    ("line", "words"), [("", "it says nothing"), ("Welcome\n", "Welcome"), ("{}", "{}"), ("[1]", "[1]")]
)
def test_a_line_that_is_not_the_programs_is_no_trial(line: str, words: str) -> None:
    assert probe.parse_trial(line) == Problem(words)


def test_links_are_told_of_hosts_whatever_a_host_says_to_whoever_logs_in() -> None:
    def told(**changes: Any) -> str:
        return json.dumps({"address": "10.0.0.2:1", "outcome": "open", "alive": True} | changes)

    asked = {"10.0.0.2:1": "gpu2", "10.0.0.3:1": "gpu3"}
    stdout = "\n".join(("Welcome!", told(), told(address="10.0.0.3:1", outcome="silent", alive=False)))
    assert probe.parse_links("gpu1", asked, stdout) == (
        Link("gpu1", "gpu2", "10.0.0.2:1", Outcome.OPEN, alive=True),
        Link("gpu1", "gpu3", "10.0.0.3:1", Outcome.SILENT, alive=False),
    )
