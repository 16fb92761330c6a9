"""Lines about images: the one that containers run, and how a host comes by it."""

import hashlib
import shlex

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan.command import Command


def image(cluster: Cluster) -> str:
    """The image that containers run: the user's, or the one derived from it that has Ray."""
    if cluster.ray.install is None:
        return cluster.image
    return f"raycluster-ray:{hashlib.sha256(_dockerfile(cluster).encode()).hexdigest()[:12]}"


def build(cluster: Cluster, node: Node) -> Command:
    """Adds `ray.install` to the image in one layer; the recipe travels on standard input."""
    argv = (*node.docker.command, "build", "--network", "host", "--tag", image(cluster), "-")
    return Command(argv, (_dockerfile(cluster),))


def pull(cluster: Cluster, node: Node) -> Command:
    return Command((*node.docker.command, "pull", "--quiet", cluster.image))


def _dockerfile(cluster: Cluster) -> str:
    requirement = shlex.quote(cluster.ray.install or "")
    return f"FROM {cluster.image}\nRUN python3 -m pip install --no-cache-dir {requirement}\n"
