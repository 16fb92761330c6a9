"""Follows the logs of hosts, side by side."""

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, Full, Queue
from threading import Event, Thread
from time import monotonic

from orchestrator.model.cluster import Cluster
from orchestrator.plan.logs.lines import Line, in_order
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.logs.host_follower import QUIET, Follower, Said
from orchestrator.remote.logs.read import Wanted

OPENING = 3.0  # seconds for all hosts to begin, so that what they said before is told in order
BACKLOG = 0.5  # seconds for what they said before to come
TICK = 0.1  # seconds whose lines are told together, in order
MOST = 50_000  # lines that are told together, and that wait for whoever reads: a host is not asked for more


@dataclass(frozen=True, slots=True)
class Heard:
    """What came in a moment: lines in the order of their time, and news of hosts."""

    lines: tuple[Line, ...]
    said: tuple[Said, ...]


def follow(cluster: Cluster, wanted: Wanted, fleet: Fleet, cancel: Event) -> Generator[Heard]:
    """What the hosts say, as it comes, until `cancel` is set or there is no hope for any of them."""
    told: Queue[Said | Line] = Queue(MOST)
    tell = partial(_put, told, cancel)
    hosts = [Follower(cluster, node, log, fleet[node.name], tell, cancel) for node, log in wanted.items()]
    threads = [Thread(target=host.run, name="follow", daemon=True) for host in hosts]
    over = Event()
    checking = Thread(target=_check, args=(hosts, fleet.jobs, over), name="check", daemon=True)
    try:
        for thread in (*threads, checking):
            thread.start()
        _await_all(hosts, cancel)
        while not cancel.is_set() and (any(thread.is_alive() for thread in threads) or not told.empty()):
            yield _batch(told, cancel)
    finally:
        over.set()
        if any(thread.is_alive() for thread in threads):
            cancel.set()
        for thread in (*threads, checking):
            thread.join()


def _await_all(hosts: Sequence[Follower], cancel: Event) -> None:
    until = monotonic() + OPENING
    for host in hosts:
        while not (host.begun.wait(TICK) or cancel.is_set() or monotonic() > until):
            pass
    cancel.wait(BACKLOG)


def _put(told: "Queue[Said | Line]", cancel: Event, each: Said | Line) -> None:
    """Once there is room: a pager that nobody turns is not to fill our memory."""
    while not cancel.is_set():
        with suppress(Full):
            told.put(each, timeout=TICK)
            return


def _batch(told: "Queue[Said | Line]", cancel: Event) -> Heard:
    batch: list[Said | Line] = []
    with suppress(Empty):
        batch.append(told.get(timeout=TICK))
        cancel.wait(TICK)
        while len(batch) < MOST:
            batch.append(told.get_nowait())
    lines = in_order(each for each in batch if isinstance(each, Line))
    return Heard(tuple(lines), tuple(each for each in batch if isinstance(each, Said)))


def _check(hosts: Sequence[Follower], jobs: int, over: Event) -> None:
    with ThreadPoolExecutor(jobs) as pool:
        while not over.wait(QUIET / 3):
            list(pool.map(Follower.check, hosts))
