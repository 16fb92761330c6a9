"""What ranks of a deep check tell, as its program does, for tests of what is made of it."""

import json
from typing import Any

TCP = "gpu1:7:9 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[0] [send] via NET/Socket/0"
RDMA = "gpu1:7:9 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[0] [send] via NET/IB/0/GDRDMA"


def line(what: str, **facts: Any) -> str:
    return json.dumps({"what": what, **facts})


def ready(gpu: str = "") -> str:
    return line("ready", torch="2.13.0", gpu=gpu)


JOINED = line("joined")
REACHED = line("reached", closed=[])
DONE = line("done")


def reduced(backend: str = "gloo", *log: str, right: bool = True) -> str:
    """64 MiB in 0.1 s."""
    told = {"right": right, "bytes": 67108864, "seconds": 0.1, "latency": 0.0004}
    return line("all-reduce", backend=backend, **told, log=log)


def pair(partner: int, there: float = 1.25e9, back: float = 1.0e9, log: tuple[str, ...] = ()) -> str:
    """Bytes a second: 10 Gb/s there, 8 back."""
    return line("pair", partner=partner, there=there, back=back, latency=0.00003, log=log)


def failed(during: str, why: str, lost: tuple[int, ...] = (), partner: int | None = None) -> str:
    return line("failed", during=during, partner=partner, why=why, lost=lost, log=[])


def through(*partners: int, gpu: str = "", backend: str = "gloo", log: tuple[str, ...] = ()) -> list[str]:
    """All that a rank tells with which everything is well."""
    pairs = [pair(partner, log=log) for partner in partners]
    return [ready(gpu), JOINED, REACHED, reduced(backend, *log), *pairs, DONE]
