"""The plan of `down`: the workers, then the head, then a second look."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.model.cluster import Cluster, Node, Role
from orchestrator.plan import docker
from orchestrator.plan.actions.prune import left_outside, unsure
from orchestrator.plan.checks import check_reachable
from orchestrator.plan.command import Command
from orchestrator.plan.facts.containers import STRAY, orphan_containers, running_container, unknown_hosts
from orchestrator.plan.facts.host import Container, Facts, HostFacts, Unreachable, answered
from orchestrator.plan.facts.parse import parse_ray
from orchestrator.plan.host_commands import forget_token
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.ray import commands as ray
from orchestrator.plan.serving.ending import ending
from orchestrator.plan.ssh_command import by_hand
from orchestrator.plan.steps import Change, OnFailure, Phase, Plan, Run, Step, StepKind


def plan_down(cluster: Cluster, facts: Facts, only: frozenset[str] | None = None) -> Plan:
    """What takes this cluster's containers, and nothing else, off its hosts (of `only`; all if None)."""
    nodes = [node for node in cluster.nodes if only is None or node.name in only]
    ours = {node: containers for node in nodes if (containers := _ours(cluster, facts[node.name]))}
    found = {node.name: answered(facts[node.name]) for node in nodes}
    mute = (HostProblem(name, each) for name, each in found.items() if isinstance(each, Problem))
    # What would outlive the cluster, on hosts that the inventory does not have.
    left = (*left_outside(cluster, facts), *unsure(_outsiders(cluster, facts), facts))
    ended = ending(facts, frozenset(node.name for node in ours), anew=False)
    return Plan(
        f"take down cluster {cluster.name}",
        tuple(_phases(cluster, list(ours), facts, whole=only is None)),
        tuple(Change(node.name, _shown(containers)) for node, containers in ours.items()),
        (*mute, *left),
        tuple(ended),
    )


def heard_meanwhile(cluster: Cluster, facts: Facts, answer: str) -> Facts:
    """With Ray's answer to `docker.ask_ray`."""
    here = facts[cluster.head.name]
    if isinstance(here, Unreachable):
        return facts
    return facts | {cluster.head.name: replace(here, ray=parse_ray(answer))}


def left_behind(cluster: Cluster, facts: Facts) -> Iterator[HostProblem]:
    """What has outlived the cluster: nobody tells of those hosts any more, so a person has to see to them."""
    nodes = {node.name: node for node in _outsiders(cluster, facts)}
    for host, container in orphan_containers(cluster, facts):
        if host in nodes:
            remedy = _by_hand(nodes[host], docker.remove_by_hand(nodes[host], container))
            yield HostProblem(host, Problem(f"{container.name} {STRAY}", f"remove it: {remedy}"))
    for host, node in nodes.items():
        for finding in check_reachable(node, facts[host]):
            why = f"Ray listed a node there, which is not in the inventory and could not be asked: {finding.text}"
            remedy = f"look there: {_by_hand(node, docker.list_by_hand(cluster, node))}"
            yield HostProblem(host, Problem(why, remedy, finding.detail))


def _outsiders(cluster: Cluster, facts: Facts) -> tuple[Node, ...]:
    return tuple(node for node in unknown_hosts(cluster, facts) if node.name in facts)


def _by_hand(node: Node, there: Command) -> str:
    return Command((*by_hand(node).argv, *there.argv)).shown()


def _has_lost_its_head(cluster: Cluster, facts: Facts) -> bool:
    """Whether the head is known not to run: its workers would drain for half a minute, for nobody."""
    head = facts[cluster.head.name]
    known = isinstance(head, HostFacts) and not isinstance(head.docker, Problem)
    heads = (each for here in facts.values() for each in _ours(cluster, here) if each.role == Role.HEAD)
    return known and not any(each.running for each in heads)


def _phases(cluster: Cluster, nodes: list[Node], facts: Facts, *, whole: bool) -> Iterator[Phase]:
    ask = _ask(cluster, facts) if whole else ()
    headless = _has_lost_its_head(cluster, facts)
    workers, head = (
        tuple(
            step
            for node in nodes
            if node.role is role
            for step in _stop(cluster, node, facts[node.name], headless=headless)
        )
        for role in (Role.WORKER, Role.HEAD)
    )
    again = tuple(
        Run(node.name, "verify that nothing is left", docker.absent(cluster, node), kind=StepKind.VERIFY)
        for node in nodes
    )
    title = "Stop the workers" if workers else "Ask Ray"
    for named, steps in ((title, (*ask, *workers)), ("Stop the head", head), ("Look again", again)):
        if steps:
            yield Phase(named, steps, OnFailure.KEEP_GOING)


def _ask(cluster: Cluster, facts: Facts) -> tuple[Run, ...]:
    """Where the look has not asked Ray: it takes as long to answer as workers take to stop."""
    head, here = cluster.head, facts[cluster.head.name]
    runs = cluster.engine.has_ray and running_container(cluster, head, here)
    if not runs or isinstance(here, Unreachable) or here.ray:
        return ()
    ask = docker.ask_ray(cluster, ray.local_gcs(head, cluster.ray.port))
    return (Run(head.name, "ask Ray for other nodes", ask, kind=StepKind.ASK_RAY),)


def _stop(cluster: Cluster, node: Node, here: HostFacts | Unreachable, *, headless: bool) -> Iterator[Step]:
    stop = docker.discard_all(cluster, node) if headless else docker.remove(cluster, node)
    title, kind = "stop and remove its container", StepKind.REMOVE_CONTAINER
    yield Run(node.name, title, stop, timeout=docker.REMOVE_SECONDS, kind=kind)
    if cluster.engine.has_ray or (isinstance(here, HostFacts) and here.token):
        yield Run(node.name, "remove Ray's token", forget_token(cluster, node))


def _ours(cluster: Cluster, facts: HostFacts | Unreachable) -> tuple[Container, ...]:
    found = facts.containers if isinstance(facts, HostFacts) else ()
    return tuple(container for container in found if container.cluster == cluster.name)


def _shown(containers: tuple[Container, ...]) -> str:
    return ", ".join(f"{container.name} ({container.ended or 'running'})" for container in containers)
