"""The plan of `restart`: a `down` and an `up` in one, with the images fetched before anything stops."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.model.cluster import Cluster
from orchestrator.plan.actions.down import plan_down
from orchestrator.plan.actions.up import Secrets, plan_up
from orchestrator.plan.facts.host import Facts, HostFacts
from orchestrator.plan.steps import Change, OnFailure, Phase, Plan, StepKind


def concerned(cluster: Cluster, only: frozenset[str] | None) -> frozenset[str]:
    """The hosts that have to be restarted for `only` (all if None) to be: no worker outlives its head.

    Ray ends a worker whose GCS went away within a minute, and what ran on the cluster with it.
    """
    everybody = frozenset(node.name for node in cluster.nodes)
    return everybody if only is None or cluster.head.name in only else only


def plan_restart(cluster: Cluster, facts: Facts, sealed: Secrets, only: frozenset[str] | None = None) -> Plan:
    """What gives those hosts new containers, until Ray lists them. A host that could not start one keeps its own."""
    hosts = concerned(cluster, only)
    up = plan_up(cluster, _once_stopped(cluster, facts, hosts), sealed, hosts)
    anew = frozenset(change.host for change in up.changes)
    down = plan_down(cluster, facts, anew)
    changes = tuple(_changes(cluster, facts, sealed, anew))
    phases = tuple(_phases(down, up)) if up.phases else ()
    return Plan(f"restart cluster {cluster.name}", phases, changes, up.refusals, up.warnings)


def _phases(down: Plan, up: Plan) -> Iterator[Phase]:
    """Until the last image is there nothing stops; a host whose container would not go gets no second one."""
    images = [phase for phase in up.phases if all(step.kind is StepKind.GET_IMAGE for step in phase.steps)]
    starts = [phase for phase in up.phases if phase not in images]
    yield from (replace(phase, on_failure=OnFailure.STOP) for phase in images)
    yield from (replace(phase, on_failure=OnFailure.DROP_HOST) for phase in down.phases)
    yield from starts


def _changes(cluster: Cluster, facts: Facts, sealed: Secrets, anew: frozenset[str]) -> Iterator[Change]:
    """With what `up` would have changed all the same."""
    whys = {change.host: change.what for change in plan_up(cluster, facts, sealed, anew).changes}
    for node in cluster.nodes:
        if node.name in anew:
            why = whys.get(node.name, "")
            yield Change(node.name, f"new container{why and ': ' + why}")


def _once_stopped(cluster: Cluster, facts: Facts, hosts: frozenset[str]) -> Facts:
    """What a look would find once this cluster's containers are gone from `hosts`."""
    return {
        name: _emptied(cluster, here) if name in hosts and isinstance(here, HostFacts) else here
        for name, here in facts.items()
    }


def _emptied(cluster: Cluster, here: HostFacts) -> HostFacts:
    gone = tuple(each for each in here.containers if each.cluster == cluster.name)
    if not gone:
        return here
    docker = tuple(each for each in here.containers if each not in gone)
    bare = replace(here, docker=docker, processes=frozenset(), token=None, ray=None)
    # The ports that one holds which runs are free afterwards; nobody can tell whether others are held too.
    return replace(bare, listeners=()) if any(each.running for each in gone) else bare
