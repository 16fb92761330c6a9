"""What is done to models in the hosts' caches: removed here, and only there where one is."""

from collections.abc import Iterator, Mapping

from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.secret import Secret
from orchestrator.plan import docker
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.models import HeldModel, Lookup, how_far
from orchestrator.plan.problem import HostProblem
from orchestrator.plan.steps import Change, OnFailure, Phase, Plan, Run, StepKind

NO_LIMIT = 30 * 86400.0
"""As long as something comes: the program ends by itself where nothing does."""
LOOK_SECONDS = 150.0
REMOVE_SECONDS = 1800.0
"""A share of the network takes its time with a thousand files."""

TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""Secrets that the hub takes, the first before the other."""

Caches = Mapping[str, Lookup]


def held(cache: Lookup, model: str) -> HeldModel | None:
    """The model in a host's cache."""
    models = () if isinstance(cache, Unreachable) else cache.models
    return next((each for each in models if each.name == model), None)


def unasked(nodes: tuple[Node, ...], caches: Caches) -> Iterator[HostProblem]:
    """The hosts whose caches are not known, and why."""
    for node in nodes:
        if isinstance(here := caches[node.name], Unreachable):
            yield HostProblem(node.name, here)


def download(
    cluster: Cluster, node: Node, model: str, revision: str, token: Secret | None, *, everything: bool
) -> Run:
    """Has a node download a model; what is there already is not downloaded again."""
    command = docker.pull_model(cluster, node, model, revision, token, everything=everything)
    title, kind = f"download {model}", StepKind.GET_MODEL
    return Run(node.name, title, command, NO_LIMIT, how_far=how_far, kind=kind)


def look(cluster: Cluster, node: Node, model: str) -> Run:
    """What a node has of a model."""
    command = docker.models(cluster, node, "look", (model,))
    return Run(node.name, "see what it has", command, LOOK_SECONDS, kind=StepKind.INSPECT_MODEL)


def plan_pull(
    cluster: Cluster, source: Node, model: str, revision: str, token: Secret | None, *, everything: bool
) -> Plan:
    """Downloads on one node."""
    step = download(cluster, source, model, revision, token, everything=everything)
    change = Change(source.name, f"download {model}")
    return Plan(f"pull {model}", (Phase("Download the model", (step,), OnFailure.STOP),), (change,))


def plan_remove(cluster: Cluster, nodes: tuple[Node, ...], model: str, caches: Caches) -> Plan:
    """Removes a model where it is. A host that serves or downloads it refuses by itself."""
    having = tuple(node for node in nodes if held(caches[node.name], model))
    steps = tuple(
        Run(node.name, f"remove {model}", docker.models(cluster, node, "remove", (model,)), REMOVE_SECONDS)
        for node in having
    )
    return Plan(
        f"remove {model}",
        (Phase("Remove the model", steps, OnFailure.DROP_HOST),) if steps else (),
        tuple(Change(node.name, f"remove {model}") for node in having),
        tuple(unasked(nodes, caches)),
    )
