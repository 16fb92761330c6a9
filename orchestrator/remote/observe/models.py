"""Models of hosts, looked at side by side: what is in their caches, and every byte of it."""

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import TypeVar

from orchestrator.model.cluster import Cluster, Model, Node
from orchestrator.plan import docker
from orchestrator.plan.command import Command
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.models import (
    CopyList,
    Holding,
    Lookup,
    Verified,
    how_far,
    parse_cache,
    parse_copy_list,
    parse_holding,
    parse_hub,
    parse_verified,
)
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving.presence import Presence, presence
from orchestrator.plan.steps import OnFailure, Phase, Run
from orchestrator.remote.execute.command import with_timeout
from orchestrator.remote.execute.events import PhaseBegan, Status, StepAdvanced, StepBegan, StepEnded, Tell
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe.hosts import ask_all, unreachable
from orchestrator.remote.transport import Failure

Seen = TypeVar("Seen")


OTHER_HUB = "VLLM_USE_MODELSCOPE"
"""With it vLLM asks another hub than the one that can be looked for."""

AskCache = Callable[[Node], Lookup]


def look_at_models(nodes: tuple[Node, ...], ask: AskCache, tell: Tell) -> dict[str, Lookup]:
    """What each host has of models. `ask`: as `cache_asker` makes it."""
    return ask_all(nodes, ask, tell, "Look at the models", "inspecting")


def cache_asker(
    cluster: Cluster,
    names: tuple[str, ...],
    fleet: Fleet,
    cancel: Event,
    *,
    fit: bool = False,
    running: bool = False,
) -> AskCache:
    """Asks a node for these models, or for all. `fit`: with their shapes, and its GPUs' memory.

    `running`: where its container runs, and nowhere else.
    """

    def ask(node: Node) -> Lookup:
        command = docker.models(cluster, node, "fit" if fit else "look", names, running=running)
        return _ask(command, node, fleet, cancel, parse_cache)

    return ask


def look_at_presence(
    cluster: Cluster, model: Model, caches: Mapping[str, Lookup], fleet: Fleet, tell: Tell, cancel: Event
) -> Presence:
    """What the nodes have of the model that they are to serve, and whether the hub answers those that lack some."""

    def ask(node: Node) -> str | Unreachable:
        return _ask(docker.models(cluster, node, "hub", ()), node, fleet, cancel, parse_hub)

    found = presence(model, caches)
    asked = tuple(
        node for node in cluster.nodes if node.name in found.downloading and OTHER_HUB not in dict(node.env)
    )
    if not asked:
        return found
    answers = ask_all(asked, ask, tell, "Look for the hub", "asking")
    return presence(
        model, caches, {host: why for host, why in answers.items() if why and isinstance(why, str)}
    )


def list_model(
    cluster: Cluster, node: Node, model: str, revision: str, fleet: Fleet, tell: Tell, cancel: Event
) -> CopyList | Unreachable:
    """What a model consists of on a node that is to give it to others."""

    def ask(node: Node) -> CopyList | Unreachable:
        return _ask(docker.list_model(cluster, node, model, revision), node, fleet, cancel, parse_copy_list)

    return ask_all((node,), ask, tell, "Look at the model", "inspecting")[node.name]


def model_holdings(
    cluster: Cluster, nodes: tuple[Node, ...], wanted: CopyList, fleet: Fleet, tell: Tell, cancel: Event
) -> dict[str, Holding | Unreachable]:
    """What the nodes have of it."""

    def ask(node: Node) -> Holding | Unreachable:
        parse = partial(parse_holding, wanted=wanted)
        return _ask(docker.model_holding(cluster, node, wanted), node, fleet, cancel, parse)

    return ask_all(nodes, ask, tell, "Look at the model", "inspecting")


def _ask(
    command: Command, node: Node, fleet: Fleet, cancel: Event, parse: Callable[[str, str], Seen]
) -> Seen | Unreachable:
    """What the host says, by what it has printed to both streams."""
    seconds = fleet.timeouts.model_look
    got = fleet[node.name].run(with_timeout(command, seconds), timeout=seconds + 10, cancel=cancel)
    return unreachable(got) if isinstance(got, Failure) else parse(got.stdout, got.stderr)


def verify_models(
    cluster: Cluster,
    nodes: tuple[Node, ...],
    names: tuple[str, ...],
    fleet: Fleet,
    tell: Tell,
    cancel: Event,
    *,
    drop: bool,
) -> dict[str, tuple[Verified, ...] | Unreachable]:
    """Has each host read every byte of these models, or of all. `drop`: and remove what is damaged."""
    act = "drop" if drop else "verify"
    steps = tuple(
        Run(node.name, "read every byte", docker.models(cluster, node, act, names), math.inf)
        for node in nodes
    )
    tell(PhaseBegan(Phase("Verify the models", steps, OnFailure.KEEP_GOING)))

    def ask(step: Run) -> tuple[str, tuple[Verified, ...] | Unreachable]:
        return step.host, _verify(step, fleet, tell, cancel)

    with ThreadPoolExecutor(max(len(steps), 1)) as pool:
        return dict(pool.map(ask, steps))


def _verify(step: Run, fleet: Fleet, tell: Tell, cancel: Event) -> tuple[Verified, ...] | Unreachable:
    last = [""]
    tell(StepBegan(step))
    began = time.monotonic()

    def hear(line: str) -> None:
        last[:] = [line]
        if far := how_far(last):
            tell(StepAdvanced(step, far))

    with fleet.at_work():
        got = fleet[step.host].stream(step.command, hear, timeout=math.inf, cancel=cancel)
    found = unreachable(got) if isinstance(got, Failure) else parse_verified(last[0], got.stderr)
    problem = found if isinstance(found, Problem) else None
    status = Status.FAILED if problem else Status.OK
    failure = Failure.of(problem) if problem else None
    tell(StepEnded("Verify the models", step, status, time.monotonic() - began, failure=failure))
    return found
