"""Follows the logs of hosts, side by side."""

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import Empty, Full, Queue
from threading import Event, Thread
from time import monotonic

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster
from orchestrator.plan.logs.lines import Line, in_order
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.logs.host_follower import Follower, Said
from orchestrator.remote.logs.read import Wanted
from orchestrator.remote.timeouts import DEFAULT, Timeouts

MOST = 50_000  # lines that are queued together, and that wait for whoever reads: a host is not asked for more


@dataclass(frozen=True, slots=True)
class Heard:
    """What came in a moment: lines in the order of their time, and news of hosts."""

    lines: tuple[Line, ...]
    said: tuple[Said, ...]


def follow(
    cluster: Cluster, wanted: Wanted, fleet: Fleet, cancel: Event, most: int = MOST
) -> Generator[Heard]:
    """What the hosts say, as it comes, until `cancel` is set or there is no hope for any of them."""
    queue: Queue[Said | Line] = Queue(most)
    timeouts, tell = fleet.timeouts, partial(_put, queue, cancel)
    hosts = [
        Follower(cluster, node, log, fleet[node.name], tell, cancel, timeouts) for node, log in wanted.items()
    ]
    threads = [Thread(target=host.run, name="follow", daemon=True) for host in hosts]
    over = Event()
    checking = Thread(target=_check, args=(hosts, fleet, over), name="check", daemon=True)
    try:
        for thread in (*threads, checking):
            thread.start()
        _await_all(hosts, cancel, timeouts)
        while not cancel.is_set() and (any(thread.is_alive() for thread in threads) or not queue.empty()):
            yield _batch(queue, cancel, timeouts.log_batch)
    finally:
        over.set()
        if any(thread.is_alive() for thread in threads):
            cancel.set()
        for thread in (*threads, checking):
            thread.join()


def _await_all(hosts: Sequence[Follower], cancel: Event, timeouts: Timeouts) -> None:
    until = monotonic() + timeouts.log_start
    for host in hosts:
        while not (host.begun.wait(timeouts.log_batch) or cancel.is_set() or monotonic() > until):
            pass
    cancel.wait(timeouts.log_backlog)


def _put(queue: "Queue[Said | Line]", cancel: Event, each: Said | Line) -> None:
    """Once there is room: a pager that nobody turns is not to fill our memory."""
    while not cancel.is_set():
        with suppress(Full):
            queue.put(each, timeout=DEFAULT.log_batch)
            return


def _batch(queue: "Queue[Said | Line]", cancel: Event, seconds: float) -> Heard:
    batch: list[Said | Line] = []
    with suppress(Empty):
        batch.append(queue.get(timeout=seconds))
        cancel.wait(seconds)
        while len(batch) < queue.maxsize:
            batch.append(queue.get_nowait())
    lines = in_order(each for each in batch if isinstance(each, Line))
    return Heard(tuple(lines), tuple(each for each in batch if isinstance(each, Said)))


def _check(hosts: Sequence[Follower], fleet: Fleet, over: Event) -> None:
    with ThreadPoolExecutor(fleet.jobs) as pool:
        while not over.wait(fleet.timeouts.log_quiet / 3):
            list(pool.map(Follower.check, hosts))
