"""The plan after a failed `up`: what the failed containers said last, then the removal of what it started."""

from collections.abc import Iterator
from enum import StrEnum

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import docker
from orchestrator.plan.host_commands import forget_token
from orchestrator.plan.steps import OnFailure, Phase, Plan, Run, Step, StepKind
from orchestrator.plan.typed import ours


class Undo(StrEnum):
    """What of a failed run is removed."""

    FAILED_ONLY = "failed-only"  # what failed, and what is of no use without it
    ALL = "all"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class FailedRun:
    """How a run failed: where it started a container, where a step failed, whether a person stopped it."""

    started: frozenset[str]
    failed: frozenset[str]
    interrupted: bool = False


def plan_rollback(cluster: Cluster, wreck: FailedRun, undo: Undo = Undo.FAILED_ONLY) -> Plan:
    """Workers that started well stay, unless `undo` says otherwise.

    Without a head that this run had to start nothing is of use, so then all that it started goes, as it
    does when a person stopped the run. A head that stood before is not lost because it could not be asked.
    """
    gone = _gone(cluster, wreck, undo)
    started = [node for node in cluster.nodes if node.name in wreck.started]
    words = tuple(_read_log(cluster, node) for node in started if node.name in wreck.failed)
    steps = tuple(step for node in started if node.name in gone for step in _undo(cluster, node))
    phases = (Phase("Read logs", words, OnFailure.KEEP_GOING), Phase("Clean up", steps, OnFailure.KEEP_GOING))
    return Plan("clean up", tuple(phase for phase in phases if phase.steps))


def _gone(cluster: Cluster, wreck: FailedRun, undo: Undo) -> frozenset[str]:
    if undo is Undo.NOTHING or not (wreck.failed or wreck.interrupted):
        return frozenset()
    everything = undo is Undo.ALL or wreck.interrupted or cluster.head.name in wreck.failed & wreck.started
    return wreck.started if everything else wreck.started & wreck.failed


def _read_log(cluster: Cluster, node: Node) -> Run:
    read = docker.last_words(cluster, node)
    return Run(node.name, "read its container's log", read, timeout=30, kind=StepKind.READ_LOG)


def _undo(cluster: Cluster, node: Node) -> Iterator[Step]:
    fix = f"its container may still be there: once the host answers, {ours('up')} or {ours('down')} deals with it"
    discard, kind = docker.discard(cluster, node), StepKind.REMOVE_CONTAINER
    yield Run(node.name, "remove its container", discard, fix=fix, kind=kind)
    if cluster.engine.has_ray:
        yield Run(node.name, "remove Ray's token", forget_token(cluster, node))
