"""What a cluster for real vLLM has besides the lab's ordinary one."""

import platform
from typing import Any

from tests.lab.host import VLLM as LENT

from .site import COMPILER, MODEL

FOLDER = f"/models/{MODEL}"
ARGS = ("--served-model-name", MODEL, "--max-model-len", "128")
EAGER = (*ARGS, "--enforce-eager")
MOUNTS = {
    f"/{LENT}/site": "/opt/site",
    f"/{LENT}/site/bin/vllm": "/usr/local/bin/vllm",
    f"/{LENT}/models": "/models",
}
COMPILER_MOUNTS = {
    f"/{LENT}/{COMPILER}{place}": place
    for place in (
        *("/usr/bin/g++", "/usr/bin/as", "/usr/bin/ld", "/usr/include", "/usr/lib/gcc"),
        f"/usr/lib/{platform.machine()}-linux-gnu",
    )
}
ENV = {
    "PYTHONPATH": "/opt/site",
    "VLLM_CPU_KVCACHE_SPACE": 1,  # GiB
    "OMP_NUM_THREADS": 1,
    "VLLM_NO_USAGE_STATS": 1,
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # 0.17.1 wants a NUMA node for each rank, also where each has a host
}


def for_vllm(*, compiled: bool = False) -> dict[str, Any]:
    """The changes, for `lab.inventory` or `two_hosts`: a host's CPU is its one GPU. Torch compiles only where told."""
    mounts = MOUNTS | (COMPILER_MOUNTS if compiled else {})
    args = [word for place, seen in mounts.items() for word in ("-v", f"{place}:{seen}:ro")]
    env = ENV if compiled else ENV | {"TORCHDYNAMO_DISABLE": 1}
    return {"ray": {"num_gpus": 1}, "docker": {"args": args}, "env": env}
