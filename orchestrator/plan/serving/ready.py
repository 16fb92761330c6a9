"""Whether a host has a container that could serve."""

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan.facts import DockerTrouble, HostFacts, Silent
from orchestrator.plan.found import own
from orchestrator.plan.hints import docker_fix
from orchestrator.plan.steps import Refusal

UP_FIRST = "`raycluster up` brings it up"


def not_ready(cluster: Cluster, node: Node, here: HostFacts | Silent) -> Refusal | None:
    """Why it has none."""
    if isinstance(here, Silent):
        return Refusal(node.name, here.why, here.fix, here.detail)
    if isinstance(here.docker, DockerTrouble):
        return Refusal(node.name, here.docker.text, docker_fix(here.docker))
    container = own(cluster, node, here)
    if container is None or not container.running:
        whose = "its head" if node is cluster.head else "it"
        return Refusal(node.name, f"the cluster is not up: no container of {whose} runs", UP_FIRST)
    return None
