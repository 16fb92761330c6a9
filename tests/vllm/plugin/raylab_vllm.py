"""vLLM's CPU platform, made for several hosts: in the lab, a host's CPU is the one GPU that it declares to Ray.

vLLM means its CPU platform for a single host: it has no name for Ray to count it by, and it takes memory to be shared
between all ranks. Everything else is vLLM's own.
"""

from typing import Any

from vllm.platforms.cpu import CpuPlatform


class LabPlatform(CpuPlatform):
    ray_device_key = "GPU"

    @classmethod
    def check_and_update_config(cls, vllm_config: Any) -> None:
        """0.17.1 has Ray give way to processes of one host, and its workers tell Ray's graph of no device."""
        parallel = vllm_config.parallel_config
        backend, worker = parallel.distributed_executor_backend, parallel.worker_cls
        super().check_and_update_config(vllm_config)
        if backend == "ray":
            parallel.distributed_executor_backend = backend
        if worker == "auto":
            parallel.worker_cls = "raylab_vllm_worker.LabWorker"

    @classmethod
    def get_device_communicator_cls(cls) -> str:
        return "raylab_vllm_network.LabCommunicator"


def platform() -> str:
    """What vLLM asks its plugins for."""
    return f"{__name__}.LabPlatform"
