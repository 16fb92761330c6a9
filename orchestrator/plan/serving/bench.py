"""Benchmarks of a served model: the words for `vllm bench serve`, what it has measured, and two runs beside each other.

Options and results as of vLLM 0.17.1 and 0.32.0, `vllm/benchmarks/serve.py`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, field
from typing import Any

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.host import Facts
from orchestrator.plan.facts.models import last_answer
from orchestrator.plan.problem import Problem, quoted
from orchestrator.plan.serving.servers import Server, meant, nearest, servers
from orchestrator.plan.typed import ours

SEED = 0
"""The same requests in each run."""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests that a server is asked: how many, how many at once, and tokens in and out of each."""

    requests: int = 200
    at_once: int = 16
    tokens_in: int = 512
    tokens_out: int = 128


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. `seconds`: for all of it; `failed`: requests without an answer; the rest in milliseconds.

    `first`: from a request to its first token; `next`: from a token to the one after it; each as median and as the
    time that 99 of 100 are within.
    """

    seconds: float
    completed: int
    failed: int
    requests_per_second: float
    tokens_per_second: float
    first_p50: float
    first_p99: float
    next_p50: float
    next_p99: float


@dataclass(frozen=True, slots=True)
class Fabric:
    """The network between the hosts, as `check --deep` has measured it last: bits and seconds of the slowest pair."""

    when: str
    over: str
    bandwidth: float
    latency: float


@dataclass(frozen=True, slots=True)
class BenchRun:
    """A benchmark as it is kept. `server`: its name on the cluster; `args`: of its `vllm serve`, without secrets."""

    when: str
    cluster: str
    server: str
    model: str
    args: tuple[str, ...]
    image: str
    versions: Mapping[str, str]
    hosts: int
    load: Load
    figures: Figures
    fabric: Fabric | None = None

    def json(self) -> str:
        """A line."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Measured:
    """What `payload/vllm_bench.py` has told."""

    figures: Figures
    versions: Mapping[str, str] = field(default_factory=dict)


def chosen(facts: Facts, word: str) -> Server | Problem:
    """The server that a word names, or the only one; it has to answer."""
    there = servers(facts)
    names = meant(word, there) if word else tuple(there)
    if len(names) != 1:
        known = ", ".join(there)
        text = f"nothing called {word} is served" if word else "no model is served"
        several = f"{known} are served: name one" if len(there) > 1 and not (word and not names) else ""
        return Problem(several or f"{text}{known and f'; there is {known}'}", _first_step(there, word))
    (name,) = names
    if not (first := there[name].first) or not first.answers:
        return Problem(f"{there[name].title} does not answer now", ours("serve status", name))
    return there[name]


def _first_step(there: Mapping[str, Server], word: str) -> str:
    return ours("serve bench", nearest(word, there) or next(iter(there))) if there else ours("serve", "MODEL")


def words(load: Load, url: str, model: str, tokenizer: str) -> tuple[str, ...]:
    """Arguments of `vllm bench serve`. `model`: as requests name it; `tokenizer`: its folder or name on the hub."""
    return (
        *("--backend", "openai", "--base-url", url, "--model", model, "--tokenizer", tokenizer),
        *("--dataset-name", "random", "--seed", str(SEED), "--ignore-eos"),
        *("--random-input-len", str(load.tokens_in), "--random-output-len", str(load.tokens_out)),
        *("--num-prompts", str(load.requests), "--max-concurrency", str(load.at_once)),
    )


def parse_measured(stdout: str, stderr: str) -> Measured | Problem:
    """Its answer, or why there is none, in vLLM's own words."""
    told = last_answer(stdout)
    if told is None:
        return quoted("vllm bench serve: ", stderr)
    try:
        versions = {str(name): str(value) for name, value in told["versions"].items() if value}
        return Measured(_figures(told["figures"]), versions)
    except (KeyError, TypeError, ValueError, AttributeError):
        return quoted("vllm bench serve: ", "\n".join(map(str, told.get("said", ()))))


def _figures(told: Mapping[str, Any]) -> Figures:
    return Figures(
        seconds=float(told["duration"]),
        completed=int(told["completed"]),
        failed=int(told.get("failed", 0)),
        requests_per_second=float(told["request_throughput"]),
        tokens_per_second=float(told["output_throughput"]),
        first_p50=float(told["p50_ttft_ms"]),
        first_p99=float(told["p99_ttft_ms"]),
        next_p50=float(told["p50_itl_ms"]),
        next_p99=float(told["p99_itl_ms"]),
    )


def parse_runs(lines: str) -> Iterator[BenchRun]:
    """Those that were kept, the oldest first; a line that nobody can read is left out."""
    for line in lines.splitlines():
        try:
            told = json.loads(line)
            fabric = told["fabric"] and Fabric(**told["fabric"])
            load, figures = Load(**told["load"]), Figures(**told["figures"])
            made = told | {"load": load, "figures": figures, "fabric": fabric, "args": tuple(told["args"])}
            yield BenchRun(**made)
        except (ValueError, KeyError, TypeError):
            continue


def of_server(runs: Iterator[BenchRun], run: BenchRun) -> tuple[BenchRun, ...]:
    """The earlier ones of that server on that cluster."""
    return tuple(each for each in runs if (each.cluster, each.server) == (run.cluster, run.server))


BETTER_HIGHER = ("requests_per_second", "tokens_per_second")
LABELS = {
    "requests_per_second": ("requests", "{:.2f} /s"),
    "tokens_per_second": ("tokens", "{:.1f} /s"),
    "first_p50": ("first token, p50", "{:.0f} ms"),
    "first_p99": ("first token, p99", "{:.0f} ms"),
    "next_p50": ("next token, p50", "{:.1f} ms"),
    "next_p99": ("next token, p99", "{:.1f} ms"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A figure as people read it, that of an earlier run, and the change: `better` is None where there is none."""

    label: str
    now: str
    before: str = ""
    change: str = ""
    better: bool | None = None


def rows(now: Figures, before: Figures | None) -> tuple[Row, ...]:
    """The figures one below the other."""
    return tuple(_row(name, getattr(now, name), getattr(before, name, None)) for name in LABELS)


def _row(name: str, now: float, before: float | None) -> Row:
    label, form = LABELS[name]
    if before is None:
        return Row(label, form.format(now))
    percent = round(100 * (now / before - 1), 1) if before else 0.0
    better = (percent > 0) is (name in BETTER_HIGHER) if percent else None
    return Row(label, form.format(now), form.format(before), f"{percent:+.1f} %", better)


def differences(now: BenchRun, before: BenchRun) -> tuple[str, ...]:
    """What else is not as it was, for who compares the two: `vllm 0.31.0 → 0.32.0`."""
    pairs = {
        "model": (before.model, now.model),
        "image": (before.image, now.image),
        **{name: (before.versions.get(name, ""), now.versions.get(name, "")) for name in ("vllm", "ray")},
        "arguments": (" ".join(before.args), " ".join(now.args)),
        "hosts": (str(before.hosts), str(now.hosts)),
        "load": (_load(before.load), _load(now.load)),
    }
    return tuple(
        f"{name}: {old or 'none'} → {new or 'none'}" for name, (old, new) in pairs.items() if old != new
    )


def _load(load: Load) -> str:
    return f"{load.requests} requests, {load.at_once} at a time, {load.tokens_in} tokens in, {load.tokens_out} out"


def described(run: BenchRun) -> str:
    """What was asked of whom."""
    return f"{run.server}: {_load(run.load)}"
