"""`status --watch -o jsonl`: the state at the beginning, then what happens, a JSON object a line."""

from dataclasses import dataclass
from typing import Literal

from orchestrator.cli.events import Line
from orchestrator.plan.health import ClusterHealth, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Line):
    """The first line: what `status -o json` would print, once every host has been seen or given up."""

    event: Literal["state"] = "state"
    state: ClusterHealth


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened(Line):
    """Something has happened to a host, or, where `host` is empty, to the cluster; `verdict`: its verdict since."""

    event: Literal["happened"] = "happened"
    host: str
    text: str
    verdict: Verdict


Watched = State | Happened
