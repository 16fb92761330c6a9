"""The `docker run` of a node, the one line that everything else is for."""

import hashlib
import shlex
from collections.abc import Mapping

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.secret import Secret
from orchestrator.plan import engine
from orchestrator.plan.command import Command
from orchestrator.plan.docker import devices
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
        *("--shm-size", node.docker.shm_size, *devices.gpus(node), "--stop-timeout", str(STOP_SECONDS)),
        *("-v", f"{hf_home}:{HF_HOME}"),
        *_given(_environment(cluster, node, place)),
        *(("--env-file", "/dev/stdin") if cluster.secrets else ()),
        *(part for mount in engine.of(cluster).mounts(cluster, node, place.home) for part in ("-v", mount)),
        *_given(engine.of(cluster).authentication(cluster)),
        *devices.devices(node, infiniband=place.infiniband),
        *node.docker.args,
    )


def found_inside(cluster: Cluster, node: Node, place: NodeAddress) -> tuple[str, ...]:
    """All that decides what a container finds in it, secrets and the token aside."""
    given = (*_given(_environment(cluster, node, place)), *devices.devices(node, infiniband=place.infiniband))
    return ("--shm-size", node.docker.shm_size, *devices.gpus(node), *given, *node.docker.args)


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
