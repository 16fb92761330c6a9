"""What it costs to watch a model, of a server that only stands in for vLLM: a host's CPU and memory, a laptop's CPU."""

import contextlib
import os
import select
import tempfile
import time
from collections.abc import Callable
from os import sysconf
from pathlib import Path
from signal import SIGINT

from tests.lab import lifecycle
from tests.lab.lab import Lab
from tests.payload.serving.place import VLLM, Place

from .measure import BenchError
from .row import Row
from .terminal import opened

Say = Callable[[str], None]
SECONDS = 180
MODES = {"/idle": "asked for a token a minute", "/used": "its counters move", "/deaf": "told to be deaf"}
CPU = 0.2  # per cent of a core
MEMORY = 30  # MB
LAPTOP_SECONDS, PATIENCE = 60, 60
LAPTOP = 1.0  # per cent of a core


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
    return [*watched, Row("supervisor of a model, memory", "a host", peak, "MB", MEMORY), _laptop(say)]


def _laptop(say: Say) -> Row:
    """What `serve` costs while a model loads, on two real hosts. Needs root."""
    with lifecycle.in_order(2, say) as lab:
        inventory = lab.inventory(engine="mp", ray={"num_gpus": 1, "install": None})
        try:
            if lab.raycluster("up", inventory).returncode:
                raise BenchError("no cluster came up")
            put = (
                "exec",
                "-i",
                "raycluster-lab-gpu1",
                "sh",
                "-c",
                'cat >"$0"; chmod +x "$0"',
                "/usr/local/bin/vllm",
            )
            lab.hosts["gpu1"].run("docker", *put, stdin=VLLM.read_text())
            say(f"`serve` waits for a model that loads, for {LAPTOP_SECONDS} s")
            share = _waiting(lab, inventory)
        finally:
            lab.raycluster("down", inventory)
    return Row(
        "serve, while it waits", "a core of the laptop", share, "%", LAPTOP, note=f"in {LAPTOP_SECONDS} s"
    )


def _waiting(lab: Lab, inventory: Path) -> float:
    """Per cent of a core of the laptop's, which draws on a terminal meanwhile."""
    ours, theirs = opened()
    words = ("serve", "-y", "--gpus", "1", "-l", "gpu1", "-i", inventory, "loads")
    serve = lab.raycluster_popen(*words, stdin=theirs, stdout=theirs, stderr=theirs, env={"TERM": "xterm"})
    os.close(theirs)
    try:
        _drawn(ours, "Wait for loads", PATIENCE)
        before, began = _cpu(serve.pid), time.monotonic()
        _drawn(ours, "", LAPTOP_SECONDS)
        return 100 * (_cpu(serve.pid) - before) / (time.monotonic() - began)
    finally:
        serve.send_signal(SIGINT)
        with contextlib.suppress(OSError):  # how Linux says that nobody has the other end any more
            _drawn(ours, "", PATIENCE)
        serve.wait(PATIENCE)
        os.close(ours)


def _drawn(terminal: int, words: str, seconds: float) -> None:
    """Reads what is drawn, for so long, or until the words are in it."""
    until, text = time.monotonic() + seconds, ""
    while (left := until - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            text += os.read(terminal, 1 << 16).decode(errors="replace")
            if words and words in text:
                return
    if words:
        raise BenchError(f"{words!r} was not drawn\n{text[-500:]}")


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
