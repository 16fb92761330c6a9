"""Devices of the host that a container is given."""

import re
from itertools import pairwise

from orchestrator.model.cluster import Accelerator, Node, Rdma

ASCEND_DEVICES = ("davinci_manager", "devmm_svm", "hisi_hdc")

ACCELERATOR = {
    Accelerator.NVIDIA: (),
    Accelerator.NONE: (),
    Accelerator.AMD: (
        *("--device", "/dev/kfd", "--device", "/dev/dri", "--group-add", "video", "--ipc", "host"),
        *("--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined"),
    ),
    Accelerator.INTEL: ("--device", "/dev/dri", "-v", "/dev/dri/by-path:/dev/dri/by-path"),
    Accelerator.ASCEND: (
        *(part for i in range(8) for part in ("--device", f"/dev/davinci{i}")),
        *(part for name in ASCEND_DEVICES for part in ("--device", f"/dev/{name}")),
        *("-v", "/usr/local/dcmi:/usr/local/dcmi", "-v", "/usr/local/bin/npu-smi:/usr/local/bin/npu-smi"),
        *("-v", "/usr/local/Ascend/driver/lib64:/usr/local/Ascend/driver/lib64"),
        *("-v", "/usr/local/Ascend/driver/version.info:/usr/local/Ascend/driver/version.info"),
        *("-v", "/etc/ascend_install.info:/etc/ascend_install.info"),
    ),
}
"""What each vendor's documentation gives a container, besides NVIDIA's `--gpus`."""

RDMA = (
    *("--device", "/dev/infiniband", "--cap-add", "IPC_LOCK"),
    *("--ulimit", "memlock=-1", "--ulimit", "stack=67108864"),
)
"""Without these NCCL falls back to TCP and says nothing (vllm-project/vllm#42075)."""


def gpus(node: Node) -> tuple[str, ...]:
    """NVIDIA's GPUs, which Docker has an option of its own for."""
    return ("--gpus", node.docker.gpus) if node.accelerator is Accelerator.NVIDIA else ()


def devices(node: Node, *, infiniband: bool) -> tuple[str, ...]:
    """Everything else. `infiniband`: whether the host has RDMA devices."""
    return (*ACCELERATOR[node.accelerator], *(RDMA if gives_rdma(node, infiniband=infiniband) else ()))


def device_files(options: tuple[str, ...]) -> tuple[str, ...]:
    """What options of `docker run` give a container of the host's /dev, which has to be there for it to start."""
    apart = (value for option, value in pairwise(options) if option == "--device")
    attached = (option.removeprefix("--device=") for option in options if option.startswith("--device="))
    paths = (value.partition(":")[0] for value in (*apart, *attached))
    return tuple(path for path in dict.fromkeys(paths) if re.fullmatch(r"/\S+", path))


def gives_rdma(node: Node, *, infiniband: bool) -> bool:
    """Whether the container is given RDMA devices, where the host has any."""
    return node.rdma is Rdma.ON or (node.rdma is Rdma.AUTO and infiniband)


def size(written: str) -> float:
    """Docker's way to write a size (`10.24g`, `512m`, `1GiB`), in bytes."""
    found = re.fullmatch(r"([0-9.]+) ?([kmgtp]?)i?b?", written.lower())
    assert found  # noqa: S101 - the inventory lets nothing else pass
    return float(found[1]) * float(1024 ** " kmgtp".index(found[2] or " "))
