"""vLLM's CPU platform, with a name for Ray to count it by: in the lab, the CPU is the one GPU a host declares.

Without one vLLM's Ray engine refuses the platform. Everything else is vLLM's own.
"""

from vllm.platforms.cpu import CpuPlatform


class LabPlatform(CpuPlatform):
    ray_device_key = "GPU"


def platform() -> str:
    """What vLLM asks its plugins for."""
    return f"{__name__}.LabPlatform"
