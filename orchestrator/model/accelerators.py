"""Table of accelerators: what Ray, Docker and people call each kind of device, and which variables choose some.

Ray's names and variables: python/ray/_private/accelerators in Ray 2.60. What containers are given is the vendors':

- AMD: rocm.docs.amd.com, "vLLM inference"; Intel: vLLM's docs, installation on XPU
- Ascend: vllm-ascend, docs/source/tutorials/features/ray.md (2026-08)
- Gaudi: docs.vllm.ai/projects/gaudi, installation with Docker
- TPU: vllm-project/tpu-inference, scripts/multihost/run_cluster.sh

AWS Neuron is not here: its documentation gives a container each /dev/neuronN by its number, and their count is
another on every type of instance.
"""

from collections.abc import Mapping

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Accelerator

GLOO = "GLOO_SOCKET_IFNAME"
"""PyTorch's, with every accelerator: the exact name of an interface."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device. `device`: one of them, for people; `resource`: what Ray counts.

    `docker`: options of `docker run`; `env`: variables of the container, which the inventory's win over.
    `visible`: the variable by which Ray learns that only some are to be used; `also`: others that hide some.
    `by_number`: the variable in whose place an option of `docker run` gives some alone, by number.
    `counted_by`: what has to be in the image for Ray to count them itself; empty for what Ray brings.
    `network`: the library that connects the devices of several hosts. It is told an interface by the variables
    `exact`, and by `prefix`, which takes every interface whose name begins so, unless the value begins with `=`;
    `family` is what it needs to be told for IPv6.
    """

    maker: str
    device: str
    resource: str
    docker: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    visible: str = ""
    also: tuple[str, ...] = ()
    counted_by: str = ""
    by_number: str = ""
    monitor: str = ""
    network: str = ""
    exact: tuple[str, ...] = (GLOO,)
    prefix: str = ""
    family: str = ""


def listed(value: str) -> int:
    """How many devices such a variable lists, as Ray counts, which does not ask whether they are there."""
    return 0 if value in ("", "NoDevFiles") else len(value.split(","))


ASCEND_DEVICES = (*(f"davinci{i}" for i in range(8)), "davinci_manager", "devmm_svm", "hisi_hdc")
ASCEND_FILES = (
    *("/usr/local/dcmi", "/usr/local/bin/npu-smi", "/usr/local/Ascend/driver/lib64"),
    *("/usr/local/Ascend/driver/version.info", "/etc/ascend_install.info"),
)

KINDS: Mapping[Accelerator, Kind] = {
    Accelerator.NVIDIA: Kind(
        maker="NVIDIA",
        device="GPU",
        resource="GPU",
        visible="CUDA_VISIBLE_DEVICES",
        by_number="CUDA_VISIBLE_DEVICES",
        monitor="nvidia-smi",
        network="NCCL",
        prefix="NCCL_SOCKET_IFNAME",
    ),
    Accelerator.AMD: Kind(
        maker="AMD",
        device="GPU",
        resource="GPU",
        docker=(
            *("--device", "/dev/kfd", "--device", "/dev/dri", "--group-add", "video", "--ipc", "host"),
            *("--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined"),
        ),
        visible="HIP_VISIBLE_DEVICES",
        also=("ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),
        monitor="rocm-smi",
        network="NCCL",  # RCCL calls itself so, and reads its variables
        prefix="NCCL_SOCKET_IFNAME",
    ),
    Accelerator.INTEL: Kind(
        maker="Intel",
        device="GPU",
        resource="GPU",
        docker=("--device", "/dev/dri", "-v", "/dev/dri/by-path:/dev/dri/by-path"),
        visible="ZE_AFFINITY_MASK",
        also=("ONEAPI_DEVICE_SELECTOR",),
        counted_by="dpctl",
        # oneCCL's own rendezvous, and libfabric's TCP: fi_tcp(7)
        exact=(GLOO, "CCL_KVS_IFACE", "FI_TCP_IFACE"),
    ),
    Accelerator.ASCEND: Kind(
        maker="Ascend",
        device="NPU",
        resource="NPU",
        docker=(
            *(part for name in ASCEND_DEVICES for part in ("--device", f"/dev/{name}")),
            *(part for file in ASCEND_FILES for part in ("-v", f"{file}:{file}")),
        ),
        visible="ASCEND_RT_VISIBLE_DEVICES",
        monitor="npu-smi info",
        network="HCCL",
        exact=(GLOO, "TP_SOCKET_IFNAME"),
        prefix="HCCL_SOCKET_IFNAME",  # whose rules are NCCL's: CANN 8.5, hcclug_000093
        family="HCCL_SOCKET_FAMILY",
    ),
    Accelerator.GAUDI: Kind(
        maker="Gaudi",
        device="HPU",
        resource="HPU",
        docker=("--runtime", "habana", "--cap-add", "sys_nice"),
        env=(("HABANA_VISIBLE_DEVICES", "all"), ("OMPI_MCA_btl_vader_single_copy_mechanism", "none")),
        visible="HABANA_VISIBLE_MODULES",
        also=("HABANA_VISIBLE_DEVICES",),
        counted_by="habana_frameworks",
        monitor="hl-smi",
        network="HCCL",
        exact=(GLOO, "HCCL_SOCKET_IFNAME"),
    ),
    Accelerator.TPU: Kind(
        maker="Google",
        device="TPU",
        resource="TPU",
        docker=("--privileged",),
        env=(("TPU_MULTIHOST_BACKEND", "ray"), ("JAX_PLATFORMS", "")),
        visible="TPU_VISIBLE_CHIPS",
    ),
    Accelerator.NONE: Kind(maker="", device="GPU", resource="GPU", prefix="NCCL_SOCKET_IFNAME"),
}

RESOURCES = tuple(dict.fromkeys(kind.resource for kind in KINDS.values()))
"""Ray's names of all."""
