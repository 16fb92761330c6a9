"""`raycluster status --watch`: a page that stays true, or a line for each thing that happens."""

import json
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from threading import Event, Thread

from rich.live import Live

from orchestrator.cli.output.console import answer
from orchestrator.cli.output.jsonl import Happened, State, Watched
from orchestrator.cli.output.status_table import as_told, show_health
from orchestrator.cli.output.watch_page import TimedEvent, page
from orchestrator.cli.run.signals import stopped_by_signals
from orchestrator.model.cluster import Cluster
from orchestrator.plan.status.health import ClusterHealth
from orchestrator.plan.status.snapshot import ClusterSnapshot, events
from orchestrator.remote.fleet import Fleet, connect_to
from orchestrator.remote.observe.watcher import Watcher

KEPT = 200
"""Events that the page keeps: more than a screen has room for."""

Show = Callable[[ClusterSnapshot, list[TimedEvent]], None]


def watch(cluster: Cluster, only: frozenset[str] | None, jobs: int, *, as_json: bool) -> ClusterHealth | None:
    """Watches until somebody ends it; what was seen last, None where not all were seen even once."""
    cancel = Event()
    with (
        Fleet(cluster, connect_to, jobs) as fleet,
        stopped_by_signals(cancel, "ending the watch", unread=True),
        Watcher(cluster, fleet, cancel, only) as watching,
        _shown(cancel, as_json=as_json) as show,
    ):
        seen = _follow(watching.sights(), show)
    if seen and not as_json and answer().is_terminal:
        show_health(seen.health)
    return seen.health if seen else None


def _follow(sights: Iterator[ClusterSnapshot], show: Show) -> ClusterSnapshot | None:
    """Shows each sight with what has happened since the one before. What came before all were seen is no event."""
    last = None
    for sight in sights:
        now = datetime.now().astimezone()
        show(sight, [TimedEvent(now, event) for event in events(last, sight)] if last else [])
        last = sight if last or not sight.pending else None
    return last


@contextmanager
def _shown(cancel: Event, *, as_json: bool) -> Iterator[Show]:
    if as_json or not answer().is_terminal:
        yield _Lines(as_json=as_json)
    else:
        with (
            _ended_by_q(cancel),
            Live(console=answer(), screen=True, auto_refresh=False, vertical_overflow="crop") as live,
        ):
            yield _Page(live)


class _Page:
    """The whole terminal, drawn anew for each sight: so it also follows a terminal that changes its size."""

    def __init__(self, live: Live) -> None:
        self._live, self._log = live, list[TimedEvent]()
        self._since = datetime.now().astimezone()

    def __call__(self, sight: ClusterSnapshot, log: list[TimedEvent]) -> None:
        self._log = [*self._log, *log][-KEPT:]
        self._live.update(page(sight, self._log, self._since, answer().size), refresh=True)


class _Lines:
    """The state at the beginning, as `status` shows it, then a line for each event; for programs as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json, self._began = as_json, False

    def __call__(self, sight: ClusterSnapshot, log: list[TimedEvent]) -> None:
        if not self._began and not sight.pending:
            self._began = True
            if self._as_json:
                _say(State(state=as_told(sight.health)))
            else:
                show_health(sight.health)
        for each in log:
            if self._as_json:
                _say(Happened(**asdict(each.event)))
            else:
                answer().print(each.line(sight.cluster.name))


def _say(line: Watched) -> None:
    answer().print(json.dumps(asdict(line)), soft_wrap=True)


@contextmanager
def _ended_by_q(cancel: Event) -> Iterator[None]:
    """Typing goes unseen meanwhile, and q sets `cancel`."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)
    listener = Thread(target=_await_q, args=(keyboard, cancel), daemon=True)
    listener.start()
    try:
        yield
    finally:
        cancel.set()
        listener.join()
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _await_q(keyboard: int, cancel: Event) -> None:
    while not cancel.is_set():
        ready, _, _ = select.select([keyboard], [], [], 0.1)
        typed = os.read(keyboard, 64) if ready else b" "
        if not typed or b"q" in typed.lower():
            cancel.set()
