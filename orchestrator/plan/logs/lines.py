"""Logs as values: lines with their time, from several hosts, in order; where each goes on; and times that are typed."""

import heapq
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Node
from orchestrator.plan import docker
from orchestrator.plan.command import Command
from orchestrator.plan.facts.sections import RECORD

SECOND = 1_000_000_000  # nanoseconds
OVERLAP = SECOND
"""Standard output and standard error may get into the log in another order than their times have."""

PIECE = 16 * 1024
"""Docker keeps a longer line in pieces of so many bytes, and tells the time before each of them."""

DOCKERS_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)(?: |$)")
RAYS_TIME = re.compile(r"\[?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3})")

DURATION = re.compile(r"((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+", re.ASCII)
EPOCH = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)


class Line(NamedTuple):
    """A line of a host's log. `stamp`: when, in nanoseconds since the epoch, by the host; 0 if untold.

    `file`: of Ray's logs, which one; empty for the container's own.
    """

    host: str
    stamp: int
    text: str
    file: str = ""


def in_order(lines: Iterable[Line]) -> Iterator[Line]:
    """By time. The lines of one log keep their order, whatever they say of their time."""
    logs: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        logs[line.host, line.file].append(line)
    return heapq.merge(*logs.values(), key=lambda line: line.stamp)


@dataclass(frozen=True, slots=True)
class LogContainer:
    """The container that a host has for its node; `id` is empty where there is none.

    `now`: the host's clock, in nanoseconds since the epoch.
    """

    id: str = ""
    status: str = ""
    exit_code: str = ""
    started: str = ""
    now: int = 0

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def ended(self) -> str:
        """Why it is not running; empty while it is."""
        if self.running:
            return ""
        return f"exited with code {self.exit_code}" if self.status == "exited" else f"is {self.status}"


def parse_container(stdout: str) -> LogContainer:
    """The answer to `docker.find`."""
    lines = stdout.rpartition(RECORD)[2].splitlines()
    if len(lines) != len(("id", "state", "now")):
        return LogContainer()
    status, exit_code, started = lines[1].split(" ", 2)
    return LogContainer(lines[0], status, exit_code, started, int(lines[2].replace(".", "")))


def container_news(before: LogContainer | None, now: LogContainer) -> str:
    """What happened to a container between two inspections; `before` is None at the first."""
    same = before is not None and (before.id, before.started) == (now.id, now.started)
    if same and before and before.running == now.running:
        return ""
    if not now.id and before:
        return "its container is gone; waiting for another"
    if not now.id:
        return "no container is there; waiting for one"
    if not now.running:
        return f"its container {now.ended}; waiting for it to start again"
    if before is None:
        return ""
    return "its container was started again" if before.id == now.id else "a new container is there"


class ContainerLog:
    """Log of a node's container, both of its streams: how to read it, and where to go on."""

    needs_running = False

    def __init__(self, node: Node, tail: str, since: str) -> None:
        self._node, self._tail, self._since = node, tail, since
        self._asked = self._first = self._newest = self._from = 0  # times, in nanoseconds
        self._recent: deque[Line] = deque()
        self._again: Counter[Line] = Counter()

    def read(self, container: LogContainer) -> Command:
        """Reads it once."""
        return docker.logs(self._node, container.id, self._tail, self._since)

    def follow(self, container: LogContainer) -> Command:
        """Reads on a moment before the newest line that was received, for it may not have been the last of its time.

        But not before the first one: what is older was not wanted. Where all is wanted and nothing was received, it
        begins anew.
        """
        if not self._asked or (not self._newest and self._tail == docker.ALL and not self._since):
            self._asked = container.now
            return docker.follow_logs(self._node, container.id, self._tail, self._since)
        self._first = self._first or self._asked
        self._from, self._again = max(self._newest - OVERLAP, self._first), Counter(self._recent)
        since = f"{self._from // SECOND}.{self._from % SECOND:09}"
        return docker.follow_logs(self._node, container.id, docker.ALL, since)

    def receive(self, text: str) -> Line | None:
        """The line that a host has sent; None where it is none, or was received before."""
        line = docker_line(self._node.name, text)
        if line is None or line.stamp < self._from:
            return None
        if self._again.get(line):
            self._again[line] -= 1
            return None
        self._first = self._first or line.stamp
        self._newest = max(self._newest, line.stamp)
        self._recent.append(line)
        while self._recent[0].stamp < self._newest - OVERLAP:
            self._recent.popleft()
        return line


class FileLog:
    """Log files of Ray's daemons, or of the model's server, inside a node's container."""

    needs_running = True

    def __init__(self, node: Node, tail: str, folder: str = docker.RAY_LOGS) -> None:
        self._node, self._tail, self._folder = node, tail, folder
        self._container = ""
        self._at: dict[str, str] = {}
        self._stamp: dict[str, int] = {}

    def read(self, container: LogContainer) -> Command:
        return docker.file_logs(self._node, container.id, self._folder, self._tail)

    def follow(self, container: LogContainer) -> Command:
        """Reads on where each file was left; in a new container, all is new."""
        if self._container not in ("", container.id):
            self._at, self._tail = {}, docker.ALL
        self._container = container.id
        positions = tuple(f"{file} {at}" for file, at in self._at.items())
        return docker.follow_file_logs(self._node, container.id, self._folder, self._tail, positions)

    def receive(self, text: str) -> Line | None:
        """As a container's; a line without a time has that of the one before it."""
        file, _, rest = text.partition(" ")
        at, is_line, line = rest.partition(" ")
        if not re.fullmatch(r"\d+:\d+", at):
            return None
        self._at[file] = at
        if not is_line:
            return None
        if time := RAYS_TIME.match(line):
            self._stamp[file] = _seconds(time[1], "Z") * SECOND + int(time[2]) * (SECOND // 1000)
        of = file if self._folder == docker.RAY_LOGS else ""
        return Line(self._node.name, self._stamp.get(file, 0), line, of)


Log = ContainerLog | FileLog


def docker_line(host: str, stamped: str) -> Line | None:
    """A line of `docker logs --timestamps`, or None: those of Docker have a time, no others do."""
    time = DOCKERS_TIME.match(stamped)
    if time is None:
        return None
    text = stamped[time.end() :]
    if len(text) >= PIECE:
        text = text.replace(time[0], "")
    return Line(host, _seconds(time[1], time[3]) * SECOND + int((time[2] or "").ljust(9, "0")), text)


@lru_cache(maxsize=4096)
def _seconds(moment: str, zone: str) -> int:
    """Seconds since the epoch; 0 for what only looks like a time."""
    try:
        return int(datetime.fromisoformat(moment + zone).astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        return 0


def parse_since(text: str) -> str | None:
    """For Docker: a Go duration such as 1h30m, by the host's clock, or seconds since the epoch; None for neither.

    A date without a zone is the laptop's: Docker would take it for the host's.
    https://docs.docker.com/reference/cli/docker/container/logs/#since
    """
    if DURATION.fullmatch(text) or EPOCH.fullmatch(text):
        return text
    try:
        return f"{max(0.0, datetime.fromisoformat(text).timestamp()):.6f}"
    except (ValueError, OverflowError):
        return None
