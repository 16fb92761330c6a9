"""Whether a host has a container that could serve."""

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan.facts import DockerTrouble, HostFacts, Silent
from orchestrator.plan.found import running
from orchestrator.plan.hints import docker_fix
from orchestrator.plan.steps import Refusal

UP_FIRST = "`raycluster up` brings it up"


def not_asked(cluster: Cluster, node: Node, here: HostFacts | Silent) -> Refusal | None:
    """Why nobody knows what it serves."""
    if isinstance(here, Silent):
        return Refusal(node.name, here.why, here.fix, here.detail)
    if isinstance(here.docker, DockerTrouble):
        return Refusal(node.name, here.docker.text, docker_fix(here.docker))
    if here.unheard and running(cluster, node, here):
        return Refusal(node.name, f"what it serves is not known: {here.unheard}", "try again in a moment")
    return None


def not_ready(cluster: Cluster, node: Node, here: HostFacts | Silent) -> Refusal | None:
    """Why it has none, or none that can be asked."""
    if refusal := not_asked(cluster, node, here):
        return refusal
    if not running(cluster, node, here):
        whose = "its head" if node is cluster.head else "it"
        return Refusal(node.name, f"the cluster is not up: no container of {whose} runs", UP_FIRST)
    return None
