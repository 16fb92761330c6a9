"""vLLM's CPU platform, made for several hosts: in the lab, a host's CPU is the one GPU that it declares to Ray.

vLLM means its CPU platform for a single host: it has no name for Ray to count it by, and it takes memory to be shared
between all ranks. Everything else is vLLM's own.
"""

from vllm.platforms.cpu import CpuPlatform


class LabPlatform(CpuPlatform):
    ray_device_key = "GPU"

    @classmethod
    def get_device_communicator_cls(cls) -> str:
        return "raylab_vllm_network.LabCommunicator"


def platform() -> str:
    """What vLLM asks its plugins for."""
    return f"{__name__}.LabPlatform"
