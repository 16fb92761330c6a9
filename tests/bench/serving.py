"""What it costs a host to watch a model: its supervisor's CPU and memory, beside a server that stands in for vLLM."""

import tempfile
import time
from collections.abc import Callable
from os import sysconf
from pathlib import Path

from tests.payload.serving.place import Place

from .measure import BenchError
from .row import Row

Say = Callable[[str], None]
SECONDS = 180
MODES = {"/idle": "asked for a token a minute", "/used": "its counters move", "/deaf": "told to be deaf"}
CPU = 0.2  # per cent of a core
MEMORY = 30  # MB


def rows(say: Say) -> list[Row]:
    """The supervisor's share of a core, for minutes of each kind, and its memory at its peak."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        place.furnish(TICK="0.5", LOST_SECONDS="86400")  # so that a deaf one is looked at all the time
        try:
            place.serve()
            (pid,) = place.supervisors()
            say(f"a model's supervisor is looked at for {SECONDS} s, three times")
            shares = [_share(place, pid, mode) for mode in MODES]
            peak = _peak(pid)
        finally:
            place.clear()
    watched = [
        Row(f"supervisor of a model, {kind}", "a core", share, "%", CPU, note=f"in {SECONDS} s")
        for share, kind in zip(shares, MODES.values(), strict=True)
    ]
    return [*watched, Row("supervisor of a model, memory", "a host", peak, "MB", MEMORY)]


def _share(place: Place, pid: int, mode: str) -> float:
    """Per cent of a core."""
    place.get(mode)
    before, began = _cpu(pid), time.monotonic()
    time.sleep(SECONDS)
    return 100 * (_cpu(pid) - before) / (time.monotonic() - began)


def _cpu(pid: int) -> float:
    """Seconds of CPU so far, of the process itself and of those that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / sysconf("SC_CLK_TCK")


def _peak(pid: int) -> float:
    """MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1000
    raise BenchError("the kernel does not tell how much memory a process had")
