"""What an edited inventory has left behind: found through Ray and by label, removed where one consents."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import docker
from orchestrator.plan.checks import check_reachable
from orchestrator.plan.facts.containers import STRAY, orphan_containers
from orchestrator.plan.facts.host import Container, Facts
from orchestrator.plan.host_commands import forget_token
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.remedies import PRUNE
from orchestrator.plan.steps import Change, OnFailure, Phase, Plan, Run, Step


def plan_prune(cluster: Cluster, nodes: tuple[Node, ...], facts: Facts) -> Plan:
    """What removes the containers that the inventory does not have from `nodes`."""
    found = dict[str, list[Container]]()
    for host, container in orphan_containers(cluster, facts):
        found.setdefault(host, []).append(container)
    steps = tuple(
        step for node in nodes for each in found.get(node.name, ()) for step in _remove(cluster, node, each)
    )
    changes = tuple(
        Change(host, f"{each.name} is not in the inventory") for host, many in found.items() for each in many
    )
    phase = Phase("Remove what the inventory no longer has", steps, OnFailure.KEEP_GOING)
    return Plan(f"prune cluster {cluster.name}", (phase,) if steps else (), changes)


def _remove(cluster: Cluster, node: Node, container: Container) -> Iterator[Step]:
    title = f"stop and remove {container.name}"
    yield Run(node.name, title, docker.remove_one(node, container), timeout=docker.REMOVE_SECONDS)
    former = replace(node, name=container.name.removeprefix(cluster.container(replace(node, name=""))))
    yield Run(node.name, "remove Ray's token", forget_token(cluster, former))


def left_outside(cluster: Cluster, facts: Facts) -> Iterator[HostProblem]:
    """Each container of this cluster on a host that the inventory does not have."""
    names = {node.name for node in cluster.nodes}
    for host, container in orphan_containers(cluster, facts):
        if host not in names:
            yield HostProblem(host, Problem(f"{container.name} {STRAY}", PRUNE))


def unsure(nodes: tuple[Node, ...], facts: Facts) -> Iterator[HostProblem]:
    """Hosts that only Ray knows and that could not be asked: nobody can say that they are clean."""
    for node in nodes:
        here = facts[node.name]
        for finding in check_reachable(node, here):
            why = f"Ray lists a node there, which is not in the inventory and cannot be asked: {finding.text}"
            fix = (
                finding.fix
                or "if it is not raycluster's, take it out of Ray; else remove its container there"
            )
            yield HostProblem(node.name, Problem(why, fix, finding.detail))
