"""The `docker run` of a node, the one line that everything else is for, and the devices that it gives a container."""

import hashlib
import re
import shlex
from collections.abc import Mapping
from itertools import pairwise

from orchestrator.frozen import dataclass
from orchestrator.model import gpu_request
from orchestrator.model.accelerators import Kind
from orchestrator.model.cluster import Accelerator, Cluster, Node, Rdma
from orchestrator.model.secret import Secret
from orchestrator.plan import devices, engine
from orchestrator.plan.command import Command
from orchestrator.plan.docker.images import image
from orchestrator.plan.docker.inside import entrypoint, first
from orchestrator.plan.docker.mounts import hf_home_target
from orchestrator.plan.facts.address import NodeAddress

STOP_SECONDS = 45
"""From Ray 2.58 on a busy actor is given 30 s, and `docker stop` waits for up to 34; before, for some 6."""


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
    after = (*_options(cluster, node, place), *first(node, image(cluster), command))
    digest = hashlib.sha256(shlex.join((*before, *after, *cluster.secrets)).encode()).hexdigest()[:12]
    argv = (*node.docker.command, *before, "--label", f"raycluster.spec={digest}", *after)
    env = {**_environment(cluster, node, place), **engine.of(cluster).authentication(cluster)}
    return ContainerSpec(
        run=Command(argv, tuple(part for each in secrets for part in (f"{each.name}=", each, "\n"))),
        hash=digest,
        image=image(cluster),
        command=after[-1],
        env=frozenset(f"{name}={value}" for name, value in env.items()),
    )


def _options(cluster: Cluster, node: Node, place: NodeAddress) -> tuple[str, ...]:
    hf_home = node.hf_home.replace("~", place.home, 1) if node.hf_home.startswith("~") else node.hf_home
    return (
        *("--restart", node.docker.restart, *entrypoint(node), "--network", "host"),
        *("--shm-size", node.docker.shm_size, *_gpus(node), "--stop-timeout", str(STOP_SECONDS)),
        *("-v", f"{hf_home}:{hf_home_target(node)}"),
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
        **_interfaces(devices.kind(node), place),
        **dict(devices.kind(node).env),
        **engine.of(cluster).variables(cluster, node),
    }
    return ours | dict(node.env)


def _interfaces(kind: Kind, place: NodeAddress) -> dict[str, str]:
    """Which interface the libraries are to use that connect the devices, told to each in its own way."""
    told = dict.fromkeys(kind.exact, place.interface)
    if kind.prefix:
        # Some builds of NCCL know no `=`, so it stands only where it is needed.
        told[kind.prefix] = f"={place.interface}" if place.alike else place.interface
    if kind.family and ":" in place.ip:
        told[kind.family] = "AF_INET6"
    return told


def _given(env: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(part for name, value in env.items() for part in ("-e", f"{name}={value}"))


RDMA = (
    *("--device", "/dev/infiniband", "--cap-add", "IPC_LOCK"),
    *("--ulimit", "memlock=-1", "--ulimit", "stack=67108864"),
)
"""Without these NCCL falls back to TCP and says nothing (vllm-project/vllm#42075)."""


def _gpus(node: Node) -> tuple[str, ...]:
    """NVIDIA's GPUs, which Docker has an option of its own for."""
    wanted = node.accelerator is Accelerator.NVIDIA and node.docker.gpus != gpu_request.NONE
    return ("--gpus", gpu_request.as_docker_takes_it(node.docker.gpus)) if wanted else ()


def _devices(node: Node, *, infiniband: bool) -> tuple[str, ...]:
    """Everything else. `infiniband`: whether the host has RDMA devices."""
    return (*devices.kind(node).docker, *(RDMA if gives_rdma(node, infiniband=infiniband) else ()))


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
