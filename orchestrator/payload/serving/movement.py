"""Movement of a server that loads: what its processes log, read and write. CPU is none: what hangs spins."""

import contextlib
import os
import re
import time

COUNT_SECONDS = 30
ENOUGH = 16 * 1024 * 1024  # bytes from look to look; what only waits reads a few as well
WAITS = re.compile(
    rb"No available shared memory broadcast block found|Waiting for creating a placement group"
    rb"|Waiting for \d+ local, \d+ remote core engine"
)
"""What vLLM 0.11.2 to 0.32.0 repeats while it waits."""
RAY = b"ray::"
"""What Ray's workers are called: they are no children of the server that has them started."""
COUNTS = ("rchar", "wchar", "read_bytes", "write_bytes")


class Movement:
    """When a server moved last: `at`, by a clock that nobody sets. `processes` gives the numbers of its own."""

    def __init__(self, processes):
        self.processes, self.bytes = processes, {}
        self.at = self.looked = time.monotonic()

    def hear(self, line):
        """Takes note of a line of the log."""
        if line.strip() and not WAITS.search(line):
            self.at = time.monotonic()

    def look(self):
        """Counts what was read and written; whether it was time to."""
        passed = time.monotonic() - self.looked
        if passed < COUNT_SECONDS:
            return False
        now = {pid: bytes_of(pid) for pid in {*self.processes(), *of_ray()}}
        if sum(max(0, total - self.bytes.get(pid, 0)) for pid, total in now.items()) > ENOUGH:
            self.at = time.monotonic()
        self.at += max(0, passed - 2 * COUNT_SECONDS)  # as long as the container was paused
        self.looked, self.bytes = time.monotonic(), now
        return True

    @property
    def still(self):
        """For how many seconds nothing has moved."""
        return time.monotonic() - self.at


def of_ray():
    """Ray's workers."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            if file.read(len(RAY)) == RAY:
                yield int(pid)


def bytes_of(pid):
    """What a process has read and written so far; 0 where nobody may know."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            counts = dict(line.split(": ") for line in file)
        return sum(int(counts[key]) for key in COUNTS)
    except (OSError, ValueError, KeyError):
        return 0
