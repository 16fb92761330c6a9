"""What NCCL's own lines (NCCL_DEBUG=INFO) tell: by which way data went, and why not by RDMA.

From https://github.com/NVIDIA/nccl/blob/master/src/transport/net.cc: each connection between hosts is a line that
ends in `via NET/<network>/<card>`, with `/GDRDMA` where the card reads the GPU's memory itself. Plugins bring networks
of their own; all but `Socket` are there to avoid TCP. RCCL has the same lines.
"""

import re
from collections.abc import Iterable

TCP, RDMA, DIRECT = "TCP", "RDMA", "RDMA, GPUDirect"
VIA = re.compile(r"\] via NET/([^/]+)/\d+(?:\(\d+\))?(/GDRDMA)?")
USING = re.compile(r"Using network (.+?)\s*$")

DISABLED = "NCCL_IB_DISABLE is set: take it out of `env`, or of the image"
NO_VERBS = "the image lacks RDMA's libraries: add libibverbs1 and ibverbs-providers to it"
NO_DEVICE = "NCCL finds no RDMA device that is up: `ibv_devinfo` on the host should say PORT_ACTIVE"
REASONS = {
    r"NCCL_IB_DISABLE set by environment to [^0]": DISABLED,
    r"NCCL_NET set by environment to Socket": "NCCL_NET is Socket: take it out of `env`, or of the image",
    r"Failed to open libibverbs": NO_VERBS,
    r"NET/IB : No device found": NO_DEVICE,
}


def way(lines: Iterable[str]) -> str:
    """TCP, RDMA or DIRECT: the worst that was taken; else the network that NCCL has chosen, or empty."""
    told = tuple(lines)
    taken = {_kind(found[1], direct=bool(found[2])) for line in told if (found := VIA.search(line))}
    chosen = {_kind(found[1], direct=False) for line in told if (found := USING.search(line))}
    return next((kind for kind in (TCP, RDMA, DIRECT) if kind in (taken or chosen)), "")


def no_rdma(lines: Iterable[str]) -> str:
    """Why NCCL took TCP, as a line that mends it."""
    said = "\n".join(lines)
    known = (fix for pattern, fix in REASONS.items() if re.search(pattern, said))
    return next(
        known, "`ibv_devinfo` on the host should say PORT_ACTIVE; NCCL_IB_HCA names the device to use"
    )


def _kind(network: str, *, direct: bool) -> str:
    if network == "Socket":
        return TCP
    return DIRECT if direct else RDMA
