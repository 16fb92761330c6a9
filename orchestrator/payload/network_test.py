"""Rank of the network test, in a container of the image on each host, sent there as text: an all-reduce, then pairs.

    python3 -c TEXT RANK RANKS IP HEAD_IP PORT PARTNER…

Prints a line of JSON for each step. Stays when it is through, for the others to find it alive, and ends when standard
input ends or is silent. It uses the image's own torch; rank 0 keeps the store by which the ranks find each other.
"""

import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from common import input_ended, listen

PATIENCE = 3  # seconds for a connection
UNEASY = 8  # seconds without a result, after which a rank checks whether the others are still there
LIMIT = timedelta(seconds=150)  # that torch waits for anybody: whoever started us is gone by then
LONG = 0.15  # seconds that a buffer may take, and still a larger one is tried
FLOATS = [1 << power for power in (14, 16, 18, 20, 22, 24)]  # of 4 bytes: 64 KiB to 64 MiB
ROUNDS = 25  # for latency: the median counts
REPEATS = 3  # for bandwidth: the best counts, for whatever else was going on can only make it worse
LOG, LOG_PATH = tempfile.mkstemp(".nccl")
TRANSPORT = ("NET/", "Using network", "libibverbs", "NCCL_IB_DISABLE set", "NCCL_NET set")
NCCL = {
    "NCCL_DEBUG": "INFO",
    "NCCL_DEBUG_SUBSYS": "INIT,NET,ENV",
    "NCCL_DEBUG_FILE": LOG_PATH,
    "TORCH_NCCL_BLOCKING_WAIT": "1",  # else a lost peer aborts the process, and it says nothing
}


def report(what, **facts):
    print(json.dumps({"what": what, **facts}), flush=True)


def leave_with_input():
    input_ended().wait()
    os._exit(0)  # torch has nothing to tidy up that the end does not


def new_log_lines():
    """What NCCL has written since the last time."""
    return os.read(LOG, 1 << 24).decode(errors="replace").splitlines()


def transport_lines():
    """The lines of NCCL that say by which transport data went, or why not by another."""
    lines = [line[-300:] for line in new_log_lines() if any(word in line for word in TRANSPORT)]
    return lines[:20] + lines[20:][-20:]


def answers(address):
    try:
        socket.create_connection(tuple(address), timeout=PATIENCE).close()
    except OSError:
        return False
    return True


class Progress:
    """What this rank is at, and with whom. Reports a failure where it hangs because other ranks are gone.

    Those are tried by plain TCP at free ports, as gloo and NCCL connect too.
    """

    def __init__(self):
        self.others, self.failing = {}, threading.Lock()
        self.enter("join")
        threading.Thread(target=self.watch, daemon=True).start()

    def enter(self, during, partner=None):
        self.during, self.partner, self.since = during, partner, time.monotonic()

    def watch(self):
        while True:
            time.sleep(0.2)
            if self.during != "end" and time.monotonic() - self.since > UNEASY:
                if self.unreached():
                    self.fail(f"nothing came for {UNEASY} s")
                self.since = time.monotonic()

    def unreached(self):
        """The ranks that do not answer now."""
        with ThreadPoolExecutor(64) as pool:
            found = {rank: pool.submit(answers, address) for rank, address in self.others.items()}
        return [rank for rank, answer in found.items() if not answer.result()]

    def fail(self, why):
        self.failing.acquire()  # for good: only the first failure is reported
        lost = self.unreached()
        warnings = [line for line in new_log_lines() if " WARN " in line]
        report("failed", during=self.during, partner=self.partner, why=why, lost=lost, log=warnings[-5:])


class World:
    """All ranks, joined by torch.distributed. The buffer is on the first GPU where the backend is NCCL."""

    def __init__(self, torch, rank, ranks, backend):
        self.dist, self.rank, self.ranks, self.right = torch.distributed, rank, ranks, True
        device, self.finish = "cpu", lambda: None
        if backend == "nccl":
            device, self.finish = "cuda:0", torch.cuda.synchronize
            torch.cuda.set_device(0)
        self.buffer = torch.zeros(FLOATS[-1], device=device)
        self.flag = torch.zeros(1, device=device)

    def all_reduce(self, progress):
        """Seconds for a buffer and for one number, by the slowest rank, and whether every sum was right."""
        latency = self.slowest(statistics.median(self.reduce(1) for _ in range(ROUNDS)))
        for floats in FLOATS:
            progress.enter("all-reduce")
            if self.slowest(self.reduce(floats)) > LONG:
                break
        seconds = min(self.slowest(self.reduce(floats)) for _ in range(REPEATS))
        return {"right": self.right, "bytes": 4 * floats, "seconds": seconds, "latency": latency}

    def reduce(self, floats):
        part = self.buffer[:floats]
        part.fill_(self.rank + 1)
        self.slowest(0)  # begin together
        began = time.perf_counter()
        self.dist.all_reduce(part)
        self.finish()
        seconds = time.perf_counter() - began
        self.right = self.right and bool((part == self.ranks * (self.ranks + 1) / 2).all())
        return seconds

    def slowest(self, seconds):
        """The most that any rank took: all ranks go by the same number."""
        self.flag.fill_(seconds)
        self.dist.all_reduce(self.flag, op=self.dist.ReduceOp.MAX)
        return self.flag.item()

    def pair(self, other):
        """Bytes a second there and back, as the lower rank measures it, and seconds for one number one way."""
        self.round_trip(other, 1, 1)  # which connects them
        latency = statistics.median(self.round_trip(other, 1, 1) for _ in range(ROUNDS)) / 2
        there = self.rate(other, latency, lambda floats: self.round_trip(other, floats, 1))
        back = self.rate(other, latency, lambda floats: self.round_trip(other, 1, floats))
        return {"there": there, "back": back, "latency": latency}

    def rate(self, other, latency, send):
        for floats in FLOATS:
            self.flag.fill_(send(floats))
            self.move(self.flag, other, self.rank < other)  # both go by the lower rank's number
            if self.flag.item() > LONG:
                break
        best = min(send(floats) for _ in range(REPEATS))
        return 4 * floats / max(best - latency, 1e-9)

    def round_trip(self, other, floats, back):
        """Seconds in which so many go from the lower to the higher rank, and so many come back."""
        began = time.perf_counter()
        self.move(self.buffer[:floats], other, self.rank < other)
        self.move(self.buffer[:back], other, self.rank > other)
        self.finish()
        return time.perf_counter() - began

    def move(self, part, other, sends):
        (self.dist.send if sends else self.dist.recv)(part, other)


def measure(torch, rank, ranks, store, progress, partners, backend):
    progress.enter("connect")
    torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=ranks, timeout=LIMIT)
    world = World(torch, rank, ranks, backend)
    progress.enter("all-reduce")
    report("all-reduce", backend=backend, **world.all_reduce(progress), log=transport_lines())
    for other in partners:
        progress.enter("pair", other)
        speeds = world.pair(other)
        if rank < other:
            report("pair", partner=other, **speeds, log=transport_lines())
    progress.enter("end")
    report("done")


def gather(store, rank, ranks, key, value):
    """The value of every rank under this key, once all have set theirs."""
    store.set(f"{key}/{rank}", json.dumps(value))
    return [json.loads(store.get(f"{key}/{each}")) for each in range(ranks)]


def run(torch, rank, ranks, ip, head, port, partners):
    progress = Progress()
    try:
        gpu = torch.cuda.is_available() and torch.distributed.is_nccl_available()
        report("ready", torch=torch.__version__, gpu=torch.cuda.get_device_name(0) if gpu else "")
        store = torch.distributed.TCPStore(head, port, ranks, rank == 0, LIMIT, wait_for_workers=False)
        report("joined")
        known = gather(store, rank, ranks, "at", [[ip, listen(ip)], bool(gpu)])
        progress.others = {each: address for each, (address, _) in enumerate(known) if each != rank}
        progress.enter("reach")
        closed = progress.unreached()
        report("reached", closed=closed)
        if not any(gather(store, rank, ranks, "closed", closed)):
            backend = "nccl" if all(has for _, has in known) else "gloo"
            measure(torch, rank, ranks, store, progress, partners, backend)
    except Exception as error:
        progress.fail(str(error).strip() or type(error).__name__)


def main(rank, ranks, ip, head, port, *partners):
    os.environ.update(NCCL)
    listening = threading.Thread(target=leave_with_input)
    listening.start()
    try:
        import torch
        import torch.distributed
    except Exception as error:  # one that is there, but lacks a library, fails in many ways
        report("no-torch", why=f"{type(error).__name__}: {error}")
    else:
        run(torch, int(rank), int(ranks), ip, head, int(port), [int(each) for each in partners])
    listening.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
