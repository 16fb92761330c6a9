"""Benchmarks that were run from this machine, and what `check --deep` measured last: kept where logs of runs are."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from orchestrator.cli.run import run_log
from orchestrator.plan.facts.network_test import Network
from orchestrator.plan.serving.bench import BenchRun, Fabric, parse_runs

WHEN = "%Y-%m-%dT%H:%M:%S"


def now() -> str:
    return time.strftime(WHEN)


def file() -> Path:
    """A line for each benchmark."""
    return run_log.folder().parent / "bench.jsonl"


def runs() -> Iterator[BenchRun]:
    """Those that were kept, the oldest first."""
    with suppress(OSError):
        yield from parse_runs(file().read_text(encoding="utf-8"))


def keep(run: BenchRun) -> None:
    """Adds it. Raises OSError."""
    file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file().open("a", encoding="utf-8") as kept:
        kept.write(run.json() + "\n")


def keep_fabric(cluster: str, network: Network | None) -> None:
    """Remembers the network of a cluster. What cannot be kept is no reason to fail."""
    if network and network.pairs:
        slowest = min(network.pairs, key=lambda pair: pair.slower)
        latency = max(pair.latency for pair in network.pairs)
        with suppress(OSError):
            _fabric(cluster).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            made = Fabric(now(), network.over, slowest.slower, latency)
            _fabric(cluster).write_text(json.dumps(asdict(made)), encoding="utf-8")


def fabric(cluster: str) -> Fabric | None:
    """What was measured last of it."""
    with suppress(OSError, ValueError, TypeError):
        return Fabric(**json.loads(_fabric(cluster).read_text(encoding="utf-8")))
    return None


def _fabric(cluster: str) -> Path:
    return run_log.folder().parent / "fabric" / f"{cluster}.json"
