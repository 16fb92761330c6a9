"""The table that a terminal shows while a run goes on."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from threading import RLock

from rich.cells import cell_len
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from orchestrator.cli.output.console import notice
from orchestrator.cli.output.how_far import drawn
from orchestrator.cli.run.keyboard import unechoed
from orchestrator.cli.run.run_log import Mask, changes, note, refusals, warnings
from orchestrator.plan.progress import Progress
from orchestrator.plan.steps import NO_PHASE, StepKind, Wait
from orchestrator.remote.execute import events
from orchestrator.remote.execute.events import Happening, Status

STYLE = {"ok": "green", "failed": "red", "busy": "cyan"}
MARK = {"ok": "✓", "failed": "✗"}
DRAWN = 4
"""How often a second. Twice as often, an hour of waiting is more than a hundredth of a core."""
AROUND = 1 + 3 * 2 + 6
"""Columns of a row beside the host's name and what it does: the mark, the gaps, the seconds."""


@contextmanager
def live_table(hosts: tuple[str, ...], mask: Mask) -> Iterator["LiveTable"]:
    """A listener that redraws a table of the hosts on standard error, and removes it in the end."""
    table = LiveTable(hosts, mask)
    with unechoed(), ExitStack() as drawn:

        def draw() -> None:
            live = Live(table, console=notice(), transient=True, refresh_per_second=DRAWN)
            drawn.enter_context(live)

        @contextmanager
        def aside() -> Iterator[None]:
            drawn.close()
            yield
            draw()  # a new one: the old one would take back the lines that it once had

        table.aside = aside
        draw()
        yield table


class LiveTable:
    """A row for each host, or for each of several servers: what it is doing, and for how long; above them the phase.

    `aside`: while it is not there.
    """

    def __init__(self, hosts: tuple[str, ...], mask: Mask) -> None:
        self.aside: Callable[[], AbstractContextManager[object]] = nullcontext
        self._mask, self._phase = mask, NO_PHASE
        self._hosts, self._rows = hosts, {host: _Row("") for host in hosts}
        self._began, self._title, self._lock = time.monotonic(), "", RLock()
        self._spinner = Spinner("dots", style="cyan")

    def __call__(self, happening: Happening) -> None:
        if isinstance(happening, events.Planned):
            for change in changes(happening.plan):
                notice().print(change)  # outside the lock: Rich draws this table while it prints
            for warning in warnings(happening.plan):
                notice().print(warning, style="yellow")
            for refusal in refusals(happening.plan):
                notice().print(self._mask(refusal), style="red")
        if isinstance(happening, events.Noted):
            notice().print(self._mask(note(happening)), style="yellow")
        with self._lock:
            self._take(happening)

    def _take(self, happening: Happening) -> None:
        phase = self._phase
        match happening:
            case events.LookBegan(hosts, title, what):
                self._title = title
                self._rows |= {host: _Row(what) for host in hosts}
            case events.HostSeen(host, trouble, what):
                self._rows[host] = _Row(trouble or what, "failed" if trouble else "ok")
            case events.PhaseBegan(phase):
                self._title, self._phase = phase.title, phase
                if any(phase.subject(step) != step.host for step in phase.steps):
                    self._rows = {}  # those of hosts tell nothing of servers
            case events.StepBegan(step):
                self._put(phase.subject(step), _Row(step.title))
            case events.StepWaits(step, why):
                self._rows[phase.subject(step)].tell(why)
            case events.StepAdvanced(step, far):
                self._rows[phase.subject(step)].tell(step.title, far)
            case events.StepEnded(step=step):
                self._put(phase.subject(step), _row_at_end(happening))

    def _put(self, subject: str, row: "_Row") -> None:
        """What is cleaned up of a server that has failed is no news of it."""
        if subject in self._hosts or self._rows.get(subject, row).state != "failed":
            self._rows[subject] = row

    def __rich__(self) -> Group:
        with self._lock:
            title = Text.assemble((self._title, "bold"), (f"  {time.monotonic() - self._began:.0f} s", "dim"))
            rows = self._fitting()
            if not (rows or self._title):
                return Group()
            columns = max(20, notice().width - AROUND - max((cell_len(host) for host, _ in rows), default=0))
            table = Table(box=None, show_header=False, pad_edge=False)
            table.add_column(width=1)
            table.add_column(no_wrap=True)
            table.add_column(overflow="ellipsis", no_wrap=True, max_width=columns)
            table.add_column(justify="right", no_wrap=True)
            for host, row in rows:
                mark = self._spinner if row.state == "busy" else Text(MARK[row.state], STYLE[row.state])
                what = drawn(row.far, columns, STYLE[row.state]) if row.far else self._said(row)
                table.add_row(mark, host, what, row.seconds())
            return Group(title, table)

    def _said(self, row: "_Row") -> Text:
        return Text(self._mask(row.what), STYLE[row.state])

    def _fitting(self) -> list[tuple[str, "_Row"]]:
        """The rows that the screen has room for: those that failed or are busy first."""
        rows = [(subject, row) for subject, row in self._rows.items() if subject and row.what]
        room = max(3, notice().height - 3)
        if len(rows) <= room:
            return rows
        return sorted(rows, key=lambda each: ("failed", "busy", "ok").index(each[1].state))[:room]


class _Row:
    """What one host is doing."""

    def __init__(self, what: str, state: str = "busy") -> None:
        self.what, self.state, self._since = what, state, time.monotonic()
        self.far: Progress | None = None

    def tell(self, what: str, far: Progress | None = None) -> None:
        """Goes on, as the same."""
        self.what, self.far = what, far

    def seconds(self) -> Text:
        return Text(f"{time.monotonic() - self._since:.0f} s" if self.state == "busy" else "", "dim")


def _row_at_end(ended: events.StepEnded) -> _Row:
    if ended.failure:
        return _Row(f"{ended.step.title}: {ended.failure.message}", "failed")
    done = ended.output.stdout.strip() if ended.output and isinstance(ended.step, Wait) else ""
    if ended.output and (ended.output.answer or ended.step.kind is StepKind.ASK_MODEL):
        from orchestrator.plan.serving.state import untried  # of no use to most commands

        done = untried(json.loads(ended.output.answer or ended.output.stdout)["status"]) or "answers"
    return _Row(done or ended.step.title, "ok" if ended.status is Status.OK else "failed")
