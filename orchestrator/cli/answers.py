"""What `-o json` prints, as types: the answers, and the schemas that `config schema` prints of them, are one."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.cli import events
from orchestrator.cli.screen import answer
from orchestrator.model.origin import HostSettings, Setting
from orchestrator.plan.checks import Finding
from orchestrator.plan.health import ClusterHealth, Verdict
from orchestrator.plan.lock import Holder

VERSION = 1
"""Of all answers: counted up when a program that reads one of them would have to change."""


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """What `check` has found."""

    cluster: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class LockAnswer:
    """Which run holds the cluster's lock; null: none."""

    cluster: str
    holder: Holder | None


@dataclass(frozen=True, slots=True)
class ConfigAnswer:
    """The resolved inventory: what holds for the cluster as a whole, and for each host."""

    file: str
    cluster: str
    settings: tuple[Setting, ...]
    hosts: tuple[HostSettings, ...]


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a command on one host. `error`: why it is not known to have run to its end."""

    host: str
    exit_code: int
    stdout: str
    stderr: str
    error: str | None


@dataclass(frozen=True, slots=True)
class ExecAnswer:
    """What a command has said on each host."""

    cluster: str
    results: tuple[Ran, ...]


@dataclass(frozen=True, slots=True)
class WatchBegan:
    """The first line of `status --watch`: the state at the beginning. `time`: as RFC 3339 writes it."""

    time: str
    status: ClusterHealth


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """A further line: what has happened, to a host or, where that is empty, to the cluster; its verdict since."""

    time: str
    host: str
    text: str
    verdict: Verdict


SCHEMAS: dict[str, Any] = {
    "status": ClusterHealth,
    "check": CheckAnswer,
    "lock": LockAnswer,
    "config": ConfigAnswer,
    "exec": ExecAnswer,
    "watch": WatchBegan | WatchEvent,
    "events": events.Event,
}
"""By the name that `raycluster config schema` knows them by: a dataclass, or a union of several for a line each."""


def show(told: Any) -> None:
    """Prints one of the above as a JSON object."""
    answer().print(json.dumps(_versioned(told), indent=2))


def show_line(told: WatchBegan | WatchEvent) -> None:
    """Prints one of several, on a line of its own."""
    answer().print(json.dumps(_versioned(told)))


def _versioned(told: Any) -> dict[str, Any]:
    return {"version": VERSION} | asdict(told)


def schema(what: str) -> dict[str, Any]:
    """The JSON Schema of an answer."""
    from orchestrator.model.schema import of_answer

    return of_answer(SCHEMAS[what], f"raycluster {what}, as JSON", VERSION)
