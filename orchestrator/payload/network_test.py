"""Runs inside a container of the image on each host, sent there as text: an all-reduce of all, then pair by pair.

    python3 -c TEXT RANK RANKS IP HEAD_IP PORT PARTNER…

One line of JSON for each thing that is known. Stays when it is through, for the others to find it alive, and ends
when standard input ends or is silent. The image's own torch is there, and else only the standard library. Rank 0
keeps the store by which the ranks find each other.
"""

import json
import os
import select
import socket
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

PATIENCE = 3  # seconds for a connection
SILENCE = 45  # seconds without a sign of life, after which nobody is there any more
UNEASY = 8  # seconds without a result, after which a rank looks whether the others are still there
LONGEST = 150  # seconds that torch waits for anybody: whoever started us is gone by then
LONG = 0.15  # seconds that a buffer may take, and still a larger one is tried
FLOATS = [1 << power for power in (14, 16, 18, 20, 22, 24)]  # of 4 bytes: 64 KiB to 64 MiB
ROUNDS = 25  # for latency: the median counts
REPEATS = 3  # for bandwidth: the best counts, for whatever else was going on can only make it worse
LOG, LOG_PATH = tempfile.mkstemp(".nccl")
TELLING = ("NET/", "Using network", "libibverbs", "NCCL_IB_DISABLE set", "NCCL_NET set")
NCCL = {
    "NCCL_DEBUG": "INFO",
    "NCCL_DEBUG_SUBSYS": "INIT,NET,ENV",
    "NCCL_DEBUG_FILE": LOG_PATH,
    "TORCH_NCCL_BLOCKING_WAIT": "1",  # else a lost peer aborts the process, and it says nothing
}


def tell(what, **facts):
    print(json.dumps({"what": what, **facts}), flush=True)


def end_with_stdin():
    """Whoever started this is gone when nothing comes any more."""
    while select.select([0], [], [], SILENCE)[0] and os.read(0, 65536):
        pass
    os._exit(0)  # torch has nothing to tidy up that the end does not


class Peers:
    """The other ranks, by plain TCP at free ports, as gloo and NCCL connect too: whether they can be reached."""

    def __init__(self, ip):
        self.server = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
        self.server.bind((ip, 0))
        self.server.listen(1024)
        self.own = [ip, self.server.getsockname()[1]]
        self.others = {}
        threading.Thread(target=self.answer, daemon=True).start()

    def answer(self):
        while True:
            self.server.accept()[0].close()

    def unreached(self):
        """The ranks that do not answer now."""
        with ThreadPoolExecutor(64) as pool:
            found = {rank: pool.submit(answers, address) for rank, address in self.others.items()}
        return [rank for rank, answer in found.items() if not answer.result()]


def answers(address):
    try:
        socket.create_connection(tuple(address), timeout=PATIENCE).close()
    except OSError:
        return False
    return True


class Stage:
    """What this rank is at, and with whom; who hangs at it because others are gone says so."""

    def __init__(self, peers):
        self.peers, self.ending = peers, threading.Lock()
        self.enter("join")
        threading.Thread(target=self.watch, daemon=True).start()

    def enter(self, during, partner=None):
        self.during, self.partner, self.since = during, partner, time.monotonic()

    def watch(self):
        while True:
            time.sleep(0.2)
            if self.during != "end" and time.monotonic() - self.since > UNEASY:
                if self.peers.unreached():
                    self.fail(f"nothing came for {UNEASY} s")
                self.since = time.monotonic()

    def fail(self, why):
        """Looks who is gone, and tells it."""
        self.ending.acquire()  # for good: only the first one speaks
        lost = self.peers.unreached()
        warnings = [line for line in log_lines() if " WARN " in line]
        tell("failed", during=self.during, partner=self.partner, why=why, lost=lost, log=warnings[-5:])


def log_lines():
    """What NCCL has written since the last time."""
    return os.read(LOG, 1 << 24).decode(errors="replace").splitlines()


def ways():
    """The lines of NCCL that tell by which way data went, or why not by another."""
    told = [line[-300:] for line in log_lines() if any(word in line for word in TELLING)]
    return told[:20] + told[20:][-20:]


class World:
    """All ranks, joined by torch.distributed. The buffer is on the first GPU where the backend is NCCL."""

    def __init__(self, torch, rank, ranks, backend):
        self.dist, self.rank, self.ranks, self.right = torch.distributed, rank, ranks, True
        device, self.settle = "cpu", lambda: None
        if backend == "nccl":
            device, self.settle = "cuda:0", torch.cuda.synchronize
            torch.cuda.set_device(0)
        self.buffer = torch.zeros(FLOATS[-1], device=device)
        self.flag = torch.zeros(1, device=device)

    def all_reduce(self, stage):
        """Seconds for a buffer and for one number, by the slowest rank, and whether every sum was right."""
        latency = self.slowest(statistics.median(self.reduced(1) for _ in range(ROUNDS)))
        for floats in FLOATS:
            stage.enter("all-reduce")
            if self.slowest(self.reduced(floats)) > LONG:
                break
        seconds = min(self.slowest(self.reduced(floats)) for _ in range(REPEATS))
        return {"right": self.right, "bytes": 4 * floats, "seconds": seconds, "latency": latency}

    def reduced(self, floats):
        part = self.buffer[:floats]
        part.fill_(self.rank + 1)
        self.slowest(0)  # begin together
        began = time.perf_counter()
        self.dist.all_reduce(part)
        self.settle()
        seconds = time.perf_counter() - began
        self.right = self.right and bool((part == self.ranks * (self.ranks + 1) / 2).all())
        return seconds

    def slowest(self, seconds):
        """The most that any rank has to say: all ranks go by the same number."""
        self.flag.fill_(seconds)
        self.dist.all_reduce(self.flag, op=self.dist.ReduceOp.MAX)
        return self.flag.item()

    def pair(self, other):
        """Bytes a second there and back, as the lower rank sees it, and seconds for one number one way."""
        self.round_trip(other, 1, 1)  # which connects them
        latency = statistics.median(self.round_trip(other, 1, 1) for _ in range(ROUNDS)) / 2
        there = self.rate(other, latency, lambda floats: self.round_trip(other, floats, 1))
        back = self.rate(other, latency, lambda floats: self.round_trip(other, 1, floats))
        return {"there": there, "back": back, "latency": latency}

    def rate(self, other, latency, send):
        for floats in FLOATS:
            if self.agreed(other, send(floats)) > LONG:
                break
        best = min(send(floats) for _ in range(REPEATS))
        return 4 * floats / max(best - latency, 1e-9)

    def round_trip(self, other, floats, back):
        """Seconds in which so many go from the lower to the higher rank, and so many come back."""
        began = time.perf_counter()
        self.move(self.buffer[:floats], other, self.rank < other)
        self.move(self.buffer[:back], other, self.rank > other)
        self.settle()
        return time.perf_counter() - began

    def agreed(self, other, seconds):
        """The lower rank's number, for both."""
        self.flag.fill_(seconds)
        self.move(self.flag, other, self.rank < other)
        return self.flag.item()

    def move(self, part, other, sends):
        (self.dist.send if sends else self.dist.recv)(part, other)


def measure(torch, rank, ranks, store, stage, partners, backend):
    stage.enter("connect")
    limit = timedelta(seconds=LONGEST)
    torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=ranks, timeout=limit)
    world = World(torch, rank, ranks, backend)
    stage.enter("all-reduce")
    tell("all-reduce", backend=backend, **world.all_reduce(stage), log=ways())
    for other in partners:
        stage.enter("pair", other)
        told = world.pair(other)
        if rank < other:
            tell("pair", partner=other, **told, log=ways())
    stage.enter("end")
    tell("done")


def everyone(store, rank, ranks, key, value):
    """What every rank says under this key, once all have."""
    store.set(f"{key}/{rank}", json.dumps(value))
    return [json.loads(store.get(f"{key}/{each}")) for each in range(ranks)]


def run(torch, rank, ranks, ip, head, port, partners):
    peers = Peers(ip)
    stage = Stage(peers)
    try:
        gpu = torch.cuda.is_available() and torch.distributed.is_nccl_available()
        tell("ready", torch=torch.__version__, gpu=torch.cuda.get_device_name(0) if gpu else "")
        limit = timedelta(seconds=LONGEST)
        store = torch.distributed.TCPStore(head, port, ranks, rank == 0, limit, wait_for_workers=False)
        tell("joined")
        known = everyone(store, rank, ranks, "at", [peers.own, bool(gpu)])
        peers.others = {each: address for each, (address, _) in enumerate(known) if each != rank}
        stage.enter("reach")
        closed = peers.unreached()
        tell("reached", closed=closed)
        if not any(everyone(store, rank, ranks, "closed", closed)):
            backend = "nccl" if all(has for _, has in known) else "gloo"
            measure(torch, rank, ranks, store, stage, partners, backend)
    except Exception as error:
        stage.fail(str(error).strip() or type(error).__name__)


def main(rank, ranks, ip, head, port, *partners):
    os.environ.update(NCCL)
    listening = threading.Thread(target=end_with_stdin)
    listening.start()
    try:
        import torch
        import torch.distributed
    except Exception as error:  # one that is there, but lacks a library, fails in many ways
        tell("no-torch", why=f"{type(error).__name__}: {error}")
    else:
        run(torch, int(rank), int(ranks), ip, head, int(port), [int(each) for each in partners])
    listening.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
