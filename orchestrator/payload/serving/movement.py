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
LOG = re.compile(r"/(?:python-core-driver-|worker-\w+-)([0-9a-f]{8})(?:f+_\d+\.log|-\d+\.out)$")
"""What a driver and a worker of Ray's write to tells their job: `python-core-driver-01000000ffff…_295.log` and
`worker-fca8…-01000000-107.out`. The environment of a worker does not, where Ray has started it beforehand (2.60)."""
BEFOREHAND = "ffffffff"
"""The job of such a worker; the first line of its log has the one that it came to work for."""
JOB = re.compile(r"^:job_id:([0-9a-f]{8})$", re.MULTILINE)
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
        own = set(self.processes())
        now = {pid: bytes_of(pid) for pid in {*own, *of_ray(own)}}
        if sum(max(0, total - self.bytes.get(pid, 0)) for pid, total in now.items()) > ENOUGH:
            self.at = time.monotonic()
        self.at += max(0, passed - 2 * COUNT_SECONDS)  # as long as the container was paused
        self.looked, self.bytes = time.monotonic(), now
        return True

    @property
    def still(self):
        """For how many seconds nothing has moved."""
        return time.monotonic() - self.at


def of_ray(own):
    """Ray's workers, but those that are known to work for another server than that of these processes."""
    jobs = set().union(*map(jobs_of, own))
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            if file.read(len(RAY)) == RAY and (not jobs or not (theirs := jobs_of(pid)) or theirs & jobs):
                yield pid


def jobs_of(pid):
    """Ray's jobs that a process works for, as far as the logs tell that it holds open."""
    found = set()
    with contextlib.suppress(OSError):
        for each in os.listdir(f"/proc/{pid}/fd"):
            log = os.readlink(f"/proc/{pid}/fd/{each}")
            if told := LOG.search(log):
                found.add(told[1] if told[1] != BEFOREHAND else job_in(log))
    return found - {""}


def job_in(log):
    with open(log, encoding="utf-8", errors="replace") as file:
        told = JOB.search(file.read(1000))
    return told[1] if told else ""


def bytes_of(pid):
    """What a process has read and written so far; 0 where nobody may know."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            counts = dict(line.split(": ") for line in file)
        return sum(int(counts[key]) for key in COUNTS)
    except (OSError, ValueError, KeyError):
        return 0
