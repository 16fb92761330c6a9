"""The `docker run` of a node, the one line that everything else is for."""

import hashlib
import shlex
from collections.abc import Iterator

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


def run(
    cluster: Cluster, node: Node, place: NodeAddress, head_ip: str, secrets: tuple[Secret, ...]
) -> Command:
    """`docker run` for the node. Secrets travel on standard input; the line holds only that they do."""
    before = ("run", "--detach", "--name", cluster.container(node), *_labels(cluster, node))
    after = (*_options(cluster, node, place), *_image_and_command(cluster, node, place, head_ip))
    spec = hashlib.sha256(shlex.join((*before, *after, *cluster.secrets)).encode()).hexdigest()[:12]
    argv = (*node.docker.command, *before, "--label", f"raycluster.spec={spec}", *after)
    return Command(argv, tuple(_env_file(secrets)))


def spec(command: Command) -> str:
    """The spec hash that a `run` line carries."""
    label = next(part for part in command.argv if part.startswith("raycluster.spec="))
    return label.partition("=")[2]


def _labels(cluster: Cluster, node: Node) -> tuple[str, ...]:
    return ("--label", f"raycluster.cluster={cluster.name}", "--label", f"raycluster.role={node.role}")


def _options(cluster: Cluster, node: Node, place: NodeAddress) -> tuple[str, ...]:
    hf_home = node.hf_home.replace("~", place.home, 1) if node.hf_home.startswith("~") else node.hf_home
    return (
        *("--restart", node.docker.restart, "--entrypoint", "/bin/bash", "--network", "host"),
        *("--shm-size", node.docker.shm_size, *devices.gpus(node), "--stop-timeout", str(STOP_SECONDS)),
        *("-v", f"{hf_home}:{HF_HOME}"),
        *_environment(cluster, node, place),
        *(("--env-file", "/dev/stdin") if cluster.secrets else ()),
        *engine.of(cluster).options(cluster, node, place.home),
        *devices.devices(node, infiniband=place.infiniband),
        *node.docker.args,
    )


def found_inside(cluster: Cluster, node: Node, place: NodeAddress) -> tuple[str, ...]:
    """All that decides what a container finds in it, secrets and the token aside."""
    given = (*_environment(cluster, node, place), *devices.devices(node, infiniband=place.infiniband))
    return ("--shm-size", node.docker.shm_size, *devices.gpus(node), *given, *node.docker.args)


def _environment(cluster: Cluster, node: Node, place: NodeAddress) -> Iterator[str]:
    ours = {
        "VLLM_HOST_IP": place.ip,
        "GLOO_SOCKET_IFNAME": place.interface,
        "NCCL_SOCKET_IFNAME": place.interface,
        **engine.of(cluster).variables(cluster, node),
    }
    return (part for name, value in (ours | dict(node.env)).items() for part in ("-e", f"{name}={value}"))


def _image_and_command(cluster: Cluster, node: Node, place: NodeAddress, head_ip: str) -> tuple[str, ...]:
    return (image(cluster), "-c", engine.of(cluster).start(cluster, node, place.ip, head_ip))


def _env_file(secrets: tuple[Secret, ...]) -> Iterator[str | Secret]:
    for secret in secrets:
        yield from (f"{secret.name}=", secret, "\n")
