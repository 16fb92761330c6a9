"""What `-o json` prints, as types: the answers, and the schemas that `config schema` prints of them, are one."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from orchestrator.cli.output.console import answer
from orchestrator.cli.output.jsonl import Event, Watched
from orchestrator.cli.run.history import UsedInventory
from orchestrator.frozen import dataclass
from orchestrator.model.inventory.provenance import HostSettings, Setting
from orchestrator.plan.checks import Finding, Level
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.models import HeldModel, Lookup, ModelCache, Verified
from orchestrator.plan.facts.network_test import Network
from orchestrator.plan.lock import Holder
from orchestrator.plan.serving.bench import BenchRun
from orchestrator.plan.serving.health import ModelHealth
from orchestrator.plan.status.health import ClusterHealth

VERSION = 2
"""Of all answers: counted up when a program that reads one of them would have to change."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many findings there are of each level, and of how many hosts."""

    hosts: int
    ok: int
    warning: int
    failure: int


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """What `check` has found. `network`: what --deep has measured; null without it, or where nothing came of it.

    `verdict`: failed with at least one failure, which is exit code 3.
    """

    cluster: str
    verdict: Literal["passed", "failed"]
    counts: Counts
    findings: tuple[Finding, ...]
    network: Network | None


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
class ExecResult:
    """What became of the command on one host; `error`: why it did not run to its end there, null if it did."""

    host: str
    exit_code: int
    stdout: str
    stderr: str
    error: str | None


@dataclass(frozen=True, slots=True)
class ExecAnswer:
    """What `exec` has run, host by host."""

    cluster: str
    results: tuple[ExecResult, ...]


@dataclass(frozen=True, slots=True)
class ServeAnswer:
    """The models that are served; where there is none, or it is not known, `trouble` says which and why."""

    cluster: str
    models: tuple[ModelHealth, ...]
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class FitAnswer:
    """How `serve --plan` would spread a model, and whether it fits; null for what is not known, and `why` that is.

    Bytes of the fullest GPU: `gpu_memory`, of which vLLM may use `usable`; it holds `weights`, `besides` those about
    so much, and `room` is left for the KV cache; `sequence`: what one of `length` tokens takes of it. `longest`: the
    longest sequence there is room for; `sequences`: how many of `length` at once, of which vLLM takes `most`.
    `sizes`: of parallelism, by vLLM's options; `args`: those that are chosen, `reason` of them. `trouble`: why it could
    not be served so; `remedies`: what would make it fit.
    """

    cluster: str
    model: str
    verdict: Literal["fits", "close", "does not fit", "not estimated"]
    why: str
    sizes: Mapping[str, int]
    args: tuple[str, ...]
    reason: str
    gpu: str | None = None
    gpu_memory: int | None = None
    usable: int | None = None
    weights: int | None = None
    besides: int | None = None
    room: int | None = None
    length: int | None = None
    sequence: int | None = None
    longest: int | None = None
    sequences: float | None = None
    most: int | None = None
    trouble: str = ""
    remedies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostModels:
    """The models of one host, in bytes; `trouble`: why it could not be asked, empty if it could."""

    host: str
    trouble: str
    hub: str
    free: int
    unused: int
    models: tuple[HeldModel, ...]


@dataclass(frozen=True, slots=True)
class ModelsAnswer:
    """Which host has which model, as `model ls` tells it."""

    cluster: str
    hosts: tuple[HostModels, ...]


@dataclass(frozen=True, slots=True)
class HostVerified:
    """The models of one host whose every byte was read; `trouble`: why that could not be, empty if it could."""

    host: str
    trouble: str
    verified: tuple[Verified, ...]


@dataclass(frozen=True, slots=True)
class VerifyAnswer:
    """What `model verify` has found.

    `verdict`: damaged with at least one file, else missing with a model that was named and is on none of the hosts;
    exit code 3 for both.
    """

    cluster: str
    verdict: Literal["sound", "damaged", "missing"]
    hosts: tuple[HostVerified, ...]


@dataclass(frozen=True, slots=True)
class HistoryAnswer:
    """The inventories that were used on this machine, the last one first."""

    inventories: tuple[UsedInventory, ...]


@dataclass(frozen=True, slots=True)
class MistakeInFile:
    """One thing to correct in the inventory. `line` 0: the file as a whole; `path`: such as workers[1].ip."""

    file: str
    line: int
    column: int
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """What any -o json prints with exit code 2: what is wrong, and where, if it is in the inventory."""

    error: str
    mistakes: tuple[MistakeInFile, ...]


def check_answer(
    cluster: str, hosts: int, findings: tuple[Finding, ...], network: Network | None
) -> CheckAnswer:
    """The findings with what they come to."""
    count = Counter(each.level for each in findings)
    counts = Counts(hosts, count[Level.OK], count[Level.WARNING], count[Level.FAILURE])
    return CheckAnswer(cluster, "failed" if counts.failure else "passed", counts, findings, network)


def models_answer(cluster: str, caches: Mapping[str, Lookup]) -> ModelsAnswer:
    """What the hosts have."""
    there = {
        host: each if isinstance(each, ModelCache) else ModelCache("", 0, 0, ())
        for host, each in caches.items()
    }
    hosts = (
        HostModels(host, _trouble(caches[host]), each.hub, each.free, each.unused, each.models)
        for host, each in there.items()
    )
    return ModelsAnswer(cluster, tuple(hosts))


def unplanned(cluster: str, model: str, trouble: str) -> FitAnswer:
    """Of a model that could not be served at all."""
    return FitAnswer(cluster, model, "not estimated", "", {}, (), "", trouble=trouble)


def verify_answer(
    cluster: str, found: Mapping[str, tuple[Verified, ...] | Unreachable], *, absent: bool
) -> VerifyAnswer:
    """What was found in every byte. `absent`: a model that was named is on none of the hosts."""
    hosts = tuple(
        HostVerified(host, _trouble(each), () if isinstance(each, Unreachable) else each)
        for host, each in found.items()
    )
    damaged = any(each.damage for host in hosts for each in host.verified)
    return VerifyAnswer(cluster, "damaged" if damaged else "missing" if absent else "sound", hosts)


def _trouble(answered: object) -> str:
    return answered.text if isinstance(answered, Unreachable) else ""


SCHEMAS: dict[str, Any] = {
    "status": ClusterHealth,
    "check": CheckAnswer,
    "lock": LockAnswer,
    "config": ConfigAnswer,
    "exec": ExecAnswer,
    "serve": ServeAnswer,
    "fit": FitAnswer,
    "bench": BenchRun,
    "models": ModelsAnswer,
    "verify": VerifyAnswer,
    "ls": HistoryAnswer,
    "refusal": Refusal,  # of any of these, with exit code 2
    "events": Event,  # each line of -o jsonl
    "watch": Watched,  # the same of status --watch
}
"""By the name that `raycluster config schema` knows them by: a dataclass, or a union of several for a line each."""


def show(answered: Any) -> None:
    """Prints one of the above as a JSON object."""
    answer().print(json.dumps({"version": VERSION} | asdict(answered), indent=2), soft_wrap=True)


def schema(what: str) -> dict[str, Any]:
    """The JSON Schema of an answer."""
    from orchestrator.model.inventory.json_schema import of_answer

    return of_answer(SCHEMAS[what], f"raycluster {what}, as JSON", VERSION)
