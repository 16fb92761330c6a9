"""What was measured between hosts, pair by pair, as people read it."""

from statistics import median

from rich.table import Table
from rich.text import Text

from orchestrator.cli.screen import answer, plural
from orchestrator.plan.checks.measures import bandwidth, delay
from orchestrator.plan.collective import Network, Pair

MOST = 15
"""Pairs that are shown; of more, the slowest."""


def show_pairs(network: Network, hosts: int) -> None:
    """Prints a table of the pairs, or of the slowest and what all come to."""
    pairs = network.pairs
    if not pairs:
        return
    shown = pairs if len(pairs) <= MOST else sorted(pairs, key=lambda pair: pair.slower)[:MOST]
    answer().print(_table(tuple(shown)))
    if len(pairs) > MOST:
        answer().print(Text(_all(pairs, hosts), "dim"))


def _table(pairs: tuple[Pair, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("FROM", "TO"):
        table.add_column(title, overflow="ellipsis", no_wrap=True)
    for title in ("THERE", "BACK", "LATENCY"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("OVER", no_wrap=True)
    for pair in pairs:
        speeds = bandwidth(pair.there), bandwidth(pair.back), delay(pair.latency)
        table.add_row(Text(pair.first), Text(pair.second), *speeds, pair.over or "?")
    return table


def _all(pairs: tuple[Pair, ...], hosts: int) -> str:
    """How much was measured, and how fast it is as a whole."""
    speeds = sorted(pair.slower for pair in pairs)
    possible = hosts * (hosts - 1) // 2
    told = plural(len(pairs), "pair") if len(pairs) == possible else f"{len(pairs)} of {possible} pairs"
    middle = f"{bandwidth(speeds[0])} to {bandwidth(speeds[-1])}, median {bandwidth(median(speeds))}"
    return f"the slowest {MOST} of the {told} that were measured: all have {middle}"
