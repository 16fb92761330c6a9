"""The `docker run` of a node, the one line that everything else is for, and the devices that it gives a container."""

import hashlib
import re
import shlex
from collections.abc import Mapping
from itertools import pairwise

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Accelerator, Cluster, Node, Rdma
from orchestrator.model.secret import Secret
from orchestrator.plan import engine
from orchestrator.plan.command import Command
from orchestrator.plan.docker.images import image
from orchestrator.plan.facts.address import NodeAddress

STOP_SECONDS = 45
"""A busy actor keeps `docker stop` waiting for up to 31 s (Ray drains for 30)."""

HF_HOME = "/root/.cache/huggingface"


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """The container that a node is to have, and the `docker run` that makes it.

    `hash`: of all that decides about it, which its label keeps. `env`: `NAME=VALUE`, secrets aside.
    """

    run: Command
    hash: str
    image: str
    command: str
    env: frozenset[str]


def container_spec(
    cluster: Cluster, node: Node, place: NodeAddress, head_ip: str, secrets: tuple[Secret, ...]
) -> ContainerSpec:
    """The node's. Secrets travel on standard input; the line holds only that they do."""
    command = engine.of(cluster).start(cluster, node, place.ip, head_ip)
    labels = ("--label", f"raycluster.cluster={cluster.name}", "--label", f"raycluster.role={node.role}")
    before = ("run", "--detach", "--name", cluster.container(node), *labels)
    after = (*_options(cluster, node, place), image(cluster), "-c", command)
    digest = hashlib.sha256(shlex.join((*before, *after, *cluster.secrets)).encode()).hexdigest()[:12]
    argv = (*node.docker.command, *before, "--label", f"raycluster.spec={digest}", *after)
    env = {**_environment(cluster, node, place), **engine.of(cluster).authentication(cluster)}
    return ContainerSpec(
        run=Command(argv, tuple(part for each in secrets for part in (f"{each.name}=", each, "\n"))),
        hash=digest,
        image=image(cluster),
        command=command,
        env=frozenset(f"{name}={value}" for name, value in env.items()),
    )


def _options(cluster: Cluster, node: Node, place: NodeAddress) -> tuple[str, ...]:
    hf_home = node.hf_home.replace("~", place.home, 1) if node.hf_home.startswith("~") else node.hf_home
    return (
        *("--restart", node.docker.restart, "--entrypoint", "/bin/bash", "--network", "host"),
        *("--shm-size", node.docker.shm_size, *_gpus(node), "--stop-timeout", str(STOP_SECONDS)),
        *("-v", f"{hf_home}:{HF_HOME}"),
        *_given(_environment(cluster, node, place)),
        *(("--env-file", "/dev/stdin") if cluster.secrets else ()),
        *(part for mount in engine.of(cluster).mounts(cluster, node, place.home) for part in ("-v", mount)),
        *_given(engine.of(cluster).authentication(cluster)),
        *_devices(node, infiniband=place.infiniband),
        *node.docker.args,
    )


def found_inside(cluster: Cluster, node: Node, place: NodeAddress) -> tuple[str, ...]:
    """All that decides what a container finds in it, secrets and the token aside."""
    given = (*_given(_environment(cluster, node, place)), *_devices(node, infiniband=place.infiniband))
    return ("--shm-size", node.docker.shm_size, *_gpus(node), *given, *node.docker.args)


def _environment(cluster: Cluster, node: Node, place: NodeAddress) -> dict[str, str]:
    ours = {
        "VLLM_HOST_IP": place.ip,
        "GLOO_SOCKET_IFNAME": place.interface,
        "NCCL_SOCKET_IFNAME": place.interface,
        **engine.of(cluster).variables(cluster, node),
    }
    return ours | dict(node.env)


def _given(env: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(part for name, value in env.items() for part in ("-e", f"{name}={value}"))


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


def _gpus(node: Node) -> tuple[str, ...]:
    """NVIDIA's GPUs, which Docker has an option of its own for."""
    return ("--gpus", node.docker.gpus) if node.accelerator is Accelerator.NVIDIA else ()


def _devices(node: Node, *, infiniband: bool) -> tuple[str, ...]:
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
