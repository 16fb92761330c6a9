"""A model's spread over the cluster, beside all others; GPUs that are asked for and would lie idle are refused."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.model.cluster import Cluster, Model
from orchestrator.plan import devices, engine
from orchestrator.plan.facts.host import Facts
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.serving import arguments, parallelism
from orchestrator.plan.serving.arguments import BACKEND, PIPELINE, TENSOR
from orchestrator.plan.serving.parallelism import KINDS
from orchestrator.plan.serving.presence import Presence
from orchestrator.plan.serving.servers import again, ledger, servers, with_args
from orchestrator.plan.serving.shares import chosen_hosts
from orchestrator.plan.serving.spec import Serving


def spread(
    cluster: Cluster, facts: Facts, model: Model, there: Presence
) -> Serving | tuple[HostProblem, ...]:
    """What is to be started, or why it cannot be."""
    found = _spread(cluster, facts, model, there)
    given = arguments.read(model.args)
    each = found.sizing.chosen.within_data if isinstance(found, Serving) and found.sizing else 0
    if given.value(BACKEND) == "uni" and isinstance(found, Serving) and each > 1:
        text = f"{BACKEND.name} uni: vLLM would have one process with one GPU, and there are {each}"
        line = with_args(model, arguments.without(model.args, BACKEND))
        return (HostProblem(found.first.name, Problem(text, line)),)
    asked = parallelism.ranks({option: given.number(option) for option in KINDS})
    if not model.gpus or not any(given.number(option) for option in KINDS):
        return found
    if isinstance(found, Serving):
        host, used = found.first.name, found.sizing.chosen.ranks if found.sizing else model.gpus
    else:
        host, used = found[0].host, max(model.gpus, asked)
    if used == model.gpus:
        return found
    said = " times ".join(
        f"{KINDS[option]} parallel {given.number(option)}" for option in KINDS if given.number(option)
    )
    device = devices.kind(chosen_hosts(cluster, model)[0]).device
    takes = f"uses {used} of" if used < model.gpus else f"needs {used}, not"
    text = f"{said} {takes} the {model.gpus} {device}s that --gpus asks for"
    fewer = model.gpus // asked * asked
    others = (replace(model, gpus=count) for count in (fewer, fewer + asked) if count)
    lines = tuple(again(each) for each in others if _uses_all(cluster, facts, each, there))
    return (HostProblem(host, Problem(text, ", or ".join(lines) or "give other sizes, or none")),)


def unsure(cluster: Cluster, facts: Facts, serving: Serving, there: Presence) -> tuple[HostProblem, ...]:
    """That vLLM may refuse the tensor size that was chosen: of a model without a known shape it may be any."""
    sizing, model = serving.sizing, serving.model
    if sizing is None or sizing.shape or TENSOR.name not in sizing.chosen.args:
        return ()
    tensor = sizing.chosen.sizes[TENSOR]
    if tensor & -tensor == tensor:
        return ()
    text = (
        f"how many attention heads {model.name} has is not known, and vLLM refuses a tensor-parallel size that does "
        f"not divide them; {tensor} seldom does"
    )
    lines = (again(each) for each in _safer(serving) if _uses_all(cluster, facts, each, there))
    return (HostProblem(serving.first.name, Problem(text, next(lines, ""))),)


def _safer(serving: Serving) -> Iterator[Model]:
    """The model on as many GPUs in more stages, or else on fewer, so that the tensor size is a power of two."""
    assert serving.sizing  # noqa: S101 - it is to be started
    model, chosen = serving.model, serving.sizing.chosen
    tensor = chosen.sizes[TENSOR]
    most = tensor & -tensor
    words = (TENSOR.name, str(most))
    if PIPELINE.name in chosen.args:
        stages = (chosen.sizes[PIPELINE] or 1) * tensor // most
        yield replace(model, args=(*model.args, *words, PIPELINE.name, str(stages)))
    for gpus in range(chosen.ranks - 1, 0, -1):
        if (gpus & -gpus) == gpus:
            yield replace(model, gpus=gpus)


def _uses_all(cluster: Cluster, facts: Facts, model: Model, there: Presence) -> bool:
    found = _spread(cluster, facts, model, there)
    ranks = found.sizing.chosen.ranks if isinstance(found, Serving) and found.sizing else 0
    return ranks > 0 and ranks == (model.gpus or ranks)


def _spread(
    cluster: Cluster, facts: Facts, model: Model, there: Presence
) -> Serving | tuple[HostProblem, ...]:
    now, held = servers(facts).get(model.server), ledger(cluster, facts, but=model.server)
    own = now.served.share.port if now and now.served.share else 0
    return engine.of(cluster).serving(cluster, facts, model, held, own, there)
