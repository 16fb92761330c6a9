"""Benchmarks as people read them: a table, bars of the last runs, and the same as a drawing for a page."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from rich.table import Table
from rich.text import Text

from orchestrator.cli.output.console import answer, print_table
from orchestrator.plan.checks.finding import bandwidth, delay
from orchestrator.plan.serving.bench import BenchRun, described, differences, rows

LAST = 8
"""Runs that are drawn."""
BAR = 30
"""Columns of the longest bar: it and its words fit 80."""
STYLE = {True: "green", False: "red", None: ""}
WIDTH, LINE, LEFT, RIGHT = 720, 26, 170, 130
"""Of a drawing, in pixels."""
FONT = 'font-family="sans-serif" font-size="13"'


def show(run: BenchRun, before: BenchRun | None) -> None:
    """Prints what was measured, and beside it an earlier run."""
    answer().print(Text(described(run), "bold"))
    table = Table(box=None, pad_edge=False, header_style="dim", show_header=before is not None)
    for title in ("", "NOW", "BEFORE", "CHANGE")[: 4 if before else 2]:
        table.add_column(title, justify="left" if not title else "right", no_wrap=True)
    for row in rows(run.figures, before.figures if before else None):
        cells = (Text(row.now), Text(row.before), Text(row.change, STYLE[row.better]))
        table.add_row(Text(row.label), *cells[: 3 if before else 1])
    print_table(table)
    for words in (*_failed(run), *_fabric(run)):
        answer().print(words)
    if before:
        answer().print(f"before: {before.when}", style="dim")
        for difference in differences(run, before):
            answer().print(f"  {difference}", style="dim")


def _failed(run: BenchRun) -> tuple[Text, ...]:
    failed = run.figures.failed or run.load.requests - run.figures.completed
    return (Text(f"{failed} of {run.load.requests} requests had no answer", "red"),) if failed else ()


def _fabric(run: BenchRun) -> tuple[Text, ...]:
    if run.fabric is None:
        return ()
    net = run.fabric
    words = f"network: {bandwidth(net.bandwidth)}, {delay(net.latency)}, {net.over or 'unknown'}"
    return (Text(f"{words} (check --deep of {net.when})", "dim"),)


def plot(runs: Sequence[BenchRun]) -> None:
    """Prints a bar for each of the last runs: tokens a second, and beside it the first token's wait."""
    last = runs[-LAST:]
    most = max((run.figures.tokens_per_second for run in last), default=0)
    for run in last if most else ():
        bar = "█" * max(1, round(BAR * run.figures.tokens_per_second / most))
        answer().print(f"{run.when[5:16].replace('T', ' ')}  {bar} {_words(run)}")


def _words(run: BenchRun) -> str:
    return f"{run.figures.tokens_per_second:.1f}/s, first {run.figures.first_p99:.0f} ms p99"


def drawing(runs: Sequence[BenchRun]) -> str:
    """The same as SVG."""
    last = runs[-LAST:]
    most = max((run.figures.tokens_per_second for run in last), default=0) or 1
    height = LINE * (len(last) + 2)
    title = escape(described(last[-1])) if last else ""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" {FONT}>',
        f'<text x="8" y="{LINE - 8}" font-weight="bold">{title}, tokens a second</text>',
    ]
    for row, run in enumerate(last, start=1):
        long, middle = (WIDTH - LEFT - RIGHT) * run.figures.tokens_per_second / most, LINE * row + LINE - 8
        lines += [
            f'<text x="8" y="{middle}">{escape(run.when.replace("T", " "))}</text>',
            f'<rect x="{LEFT}" y="{middle - 13}" width="{long:.0f}" height="16" fill="#4a7ebb"/>',
            f'<text x="{LEFT + long + 6:.0f}" y="{middle}">{_words(run)}</text>',
        ]
    return "\n".join((*lines, "</svg>", ""))
