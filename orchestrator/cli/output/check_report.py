"""Findings as people read them: by what they are about, the same on several hosts said once."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from rich.table import Table
from rich.text import Text

from orchestrator.cli.output.console import answer, gathered
from orchestrator.cli.output.typed import line, shown
from orchestrator.plan.checks import Finding, Level
from orchestrator.plan.checks.finding import bandwidth, delay
from orchestrator.plan.facts.network_test import Network
from orchestrator.plan.problem import plural

MOST = 15
"""Pairs that are shown; of more, the slowest."""


def show_pairs(network: Network, hosts: int) -> None:
    """Prints a table of the pairs, or of the slowest and what all come to."""
    pairs = network.pairs
    if not pairs:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("FROM", "TO", "THERE", "BACK", "LATENCY", "OVER"):
        right = title in ("THERE", "BACK", "LATENCY")
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for pair in pairs if len(pairs) <= MOST else sorted(pairs, key=lambda pair: pair.slower)[:MOST]:
        speeds = bandwidth(pair.there), bandwidth(pair.back), delay(pair.latency)
        table.add_row(Text(pair.first), Text(pair.second), *speeds, pair.over or "?")
    answer().print(table)
    if len(pairs) > MOST:
        speed, possible = [pair.slower for pair in pairs], hosts * (hosts - 1) // 2
        count = plural(len(pairs), "pair") if len(pairs) == possible else f"{len(pairs)} of {possible} pairs"
        middle = f"{bandwidth(min(speed))} to {bandwidth(max(speed))}, median {bandwidth(median(speed))}"
        words = f"the slowest {MOST} of the {count} that were measured: all have {middle}"
        answer().print(Text(words, "dim"))


TOPICS = (
    *("secrets", "ssh", "host", "docker", "address", "clock", "network", "ports"),
    *(
        "image",
        "ray",
        "torch",
        "gpus",
        "rdma",
        "memory",
        "disk",
        "hf_home",
        "model",
        "containers",
        "all-reduce",
    ),
)
MARK = {Level.OK: "✓", Level.WARNING: "!", Level.FAILURE: "✗"}
STYLE = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "red"}


def show(cluster: str, hosts: int, findings: tuple[Finding, ...], network: Network | None) -> None:
    """Prints all findings, what was measured, how many lines of them are bad, and what comes next."""
    lines = [
        each for topic in TOPICS for each in _grouped(one for one in findings if one.topic == topic).items()
    ]
    for finding, names in lines:
        _show(finding, names, hosts)
    if network:
        show_pairs(network, hosts)
    levels = [finding.level for finding, _ in lines]
    answer().print(_summary(cluster, hosts, levels))
    answer().print(Text(_next(levels)))


def _grouped(findings: Iterable[Finding]) -> dict[Finding, list[str]]:
    """Findings that differ only in their host, the worst last."""
    hosts = gathered((finding.host, replace(finding, host="")) for finding in findings)
    return dict(sorted(hosts.items(), key=lambda each: list(Level).index(each[0].level)))


def _show(finding: Finding, hosts: list[str], everybody: int) -> None:
    style = STYLE[finding.level]
    names = "all hosts" if len(hosts) == everybody > 1 else ", ".join(hosts)
    answer().print(
        Text.assemble(
            (MARK[finding.level], style), f" {finding.topic:<10} ", (names, "bold"), f"  {finding.text}"
        )
    )
    for words in finding.detail.splitlines()[-5:]:
        answer().print(Text(f"               | {words}", "dim"))
    if finding.fix:
        fix = shown(finding.fix, hosts)
        answer().print(Text(f"               → {fix}", "dim" if finding.level is Level.OK else style))


def _summary(cluster: str, hosts: int, levels: Sequence[Level]) -> Text:
    """How many lines there are of what is bad, which several hosts may share."""
    counts = ", ".join(plural(levels.count(each), each) for each in (Level.FAILURE, Level.WARNING))
    worst = max(levels, key=list(Level).index, default=Level.OK)
    return Text(f"cluster {cluster}: {counts} on {plural(hosts, 'host')}", f"bold {STYLE[worst]}")


def _next(levels: Sequence[Level]) -> str:
    return f"Once this is fixed: {line('check')}" if Level.FAILURE in levels else f"Next: {line('up')}"
