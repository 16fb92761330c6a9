"""The plan after a failed `up`: what the failed containers said last, then the removal of what it started."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import docker
from orchestrator.plan.host import forget_token
from orchestrator.plan.steps import OnFailure, Phase, Plan, Run, Step

LAST_WORDS = "read its container's log"


@dataclass(frozen=True, slots=True)
class Wreck:
    """How a run failed: where it started a container, where a step failed, whether a person stopped it."""

    started: frozenset[str]
    failed: frozenset[str]
    interrupted: bool = False


def plan_aftermath(cluster: Cluster, wreck: Wreck) -> Plan:
    """Workers that started well stay.

    Without a head that this run had to start nothing is of use, so then all that it started goes, as it
    does when a person stopped the run. A head that stood before is not lost because it could not be asked.
    """
    everything = wreck.interrupted or cluster.head.name in wreck.failed & wreck.started
    gone = wreck.started if everything else wreck.started & wreck.failed
    nodes = [node for node in cluster.nodes if node.name in gone]
    words = tuple(_last_words(cluster, node) for node in nodes if node.name in wreck.failed)
    undo = tuple(step for node in nodes for step in _undo(cluster, node))
    phases = (Phase("Read logs", words, OnFailure.KEEP_GOING), Phase("Clean up", undo, OnFailure.KEEP_GOING))
    return Plan("clean up", tuple(phase for phase in phases if phase.steps))


def _last_words(cluster: Cluster, node: Node) -> Run:
    return Run(node.name, LAST_WORDS, docker.last_words(cluster, node), timeout=10)


def _undo(cluster: Cluster, node: Node) -> Iterator[Step]:
    fix = "its container may still be there: once the host answers, `raycluster up` or `down` sees to it"
    yield Run(node.name, "remove its container", docker.discard(cluster, node), fix=fix)
    yield Run(node.name, "forget Ray's token", forget_token(cluster))
