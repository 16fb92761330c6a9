"""What a cluster for real vLLM has besides the lab's ordinary one."""

from typing import Any

from tests.lab.host import VLLM as LENT

from .site import MODEL

FOLDER = f"/models/{MODEL}"
MOUNTS = {
    f"/{LENT}/site": "/opt/site",
    f"/{LENT}/site/bin/vllm": "/usr/local/bin/vllm",
    f"/{LENT}/models": "/models",
}
ENV = {
    "PYTHONPATH": "/opt/site",
    "VLLM_CPU_KVCACHE_SPACE": 1,  # GiB
    "OMP_NUM_THREADS": 1,
    "TORCHDYNAMO_DISABLE": 1,  # or it wants a C++ compiler
    "VLLM_NO_USAGE_STATS": 1,
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # 0.17.1 wants a NUMA node for each rank, also where each has a host
}


def for_vllm() -> dict[str, Any]:
    """The changes, for `lab.inventory` or `two_hosts`: a host's CPU is its one GPU."""
    args = [word for place, seen in MOUNTS.items() for word in ("-v", f"{place}:{seen}:ro")]
    return {"ray": {"num_gpus": 1}, "docker": {"args": args}, "env": ENV}
