"""Sizing of a model: over which GPUs it is spread, whether it fits them, and what would make it fit."""

from collections.abc import Iterator, Mapping

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Model
from orchestrator.plan.facts.model_shape import Gpu, Shape
from orchestrator.plan.problem import Problem, plural
from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.arguments import (
    API_KEY,
    CACHE_TYPE,
    DATA,
    EXPERT_PARALLEL,
    LENGTH,
    PIPELINE,
    TENSOR,
    Given,
)
from orchestrator.plan.serving.fit import GIB, OVERHEAD, Estimate, Verdict, estimate
from orchestrator.plan.serving.parallelism import KINDS, Parallelism, candidates, choose, uncut
from orchestrator.plan.typed import ours

MOST_HOSTS = 64
"""How many are tried where it would fit more of them."""
STEP = 1024
"""Lengths that are proposed are multiples of it, if they are any longer."""
ANYWAY = "--force starts it all the same"


@dataclass(frozen=True, slots=True)
class Sizing:
    """The sizes for a model, and what they come to; None where nothing is known of its shape."""

    chosen: Parallelism
    estimate: Estimate | None = None

    @property
    def verdict(self) -> Verdict:
        return self.estimate.verdict if self.estimate else Verdict.UNKNOWN


def size(gpus: Mapping[str, int], given: Given, shape: Shape | None, gpu: Gpu | None) -> Sizing:
    """The sizes on the fewest hosts that it fits; else on those where it comes closest, or, where nobody knows, on all.

    `gpus`: of each host; `gpu`: the one with the least memory, None where that is not known.
    """
    if shape is None or not any(gpus.values()):
        return Sizing(choose(gpus, given, shape))
    ways = [Sizing(way, estimate(shape, way.sizes, given, gpu)) for way in candidates(gpus, given, shape)]
    if fitting := next((each for each in ways if each.verdict is Verdict.FITS), None):
        return fitting
    told = [each for each in ways if each.verdict is not Verdict.UNKNOWN]
    if told:
        return min(told, key=_held)
    by_experts = [each for each in ways if EXPERT_PARALLEL.name in each.chosen.args]
    return (by_experts or ways)[-1]


def _held(sizing: Sizing) -> int:
    held = sizing.estimate
    return (held.weights or 0) + (held.sequence or 0) if held else 0


def impossible(given: Given, shape: Shape | None) -> Problem | None:
    """Why vLLM could not cut the model to the sizes that a person gives."""
    if shape is None:
        return None
    tensor, pipeline = given.number(TENSOR), given.number(PIPELINE)
    if tensor and (why := uncut(shape, tensor, whole=EXPERT_PARALLEL in given)):
        return Problem(f"{TENSOR.name} {tensor}: {why}", f"leave it out; {ANYWAY}")
    if pipeline > shape.layers:
        few = f"{PIPELINE.name} {pipeline}: it has {plural(shape.layers, 'layer')}"
        return Problem(few, f"leave it out; {ANYWAY}")
    return None


def misfit(
    model: Model, sizing: Sizing, gpus: Mapping[str, int], shape: Shape | None, gpu: Gpu | None
) -> Problem | None:
    """Why it does not fit, or only just, and the lines that would do; None where it fits, or nobody knows."""
    found = sizing.estimate
    if found is None or shape is None or found.verdict not in (Verdict.NOT, Verdict.CLOSE):
        return None
    out = list(ways_out(model, found, gpus, shape, gpu))
    text = f"{held(found)}, and vLLM may use {usable(found)}"
    if found.verdict is Verdict.CLOSE:
        return Problem(
            f"{model.name} may not fit: {text}", f"if it does not: {', or '.join(out)}" if out else ""
        )
    return Problem(f"{model.name} does not fit: {text}", "; ".join(filter(None, (", or ".join(out), ANYWAY))))


def held(found: Estimate) -> str:
    """`a GPU holds 15.0 GiB of weights, 2.0 GiB of KV cache for a sequence of 16384 tokens, some 3 GiB besides`."""
    cache = (
        f", {gib(found.sequence)} of KV cache for a sequence of {found.length} tokens"
        if found.sequence
        else ""
    )
    return (
        f"a GPU would hold {gib(found.weights or 0)} of weights{cache} and some {OVERHEAD // GIB} GiB besides"
    )


def usable(found: Estimate) -> str:
    """`21.6 of its 24.0 GiB`."""
    memory = found.gpu.memory if found.gpu else 0
    return f"{(found.usable or 0) / GIB:.1f} of its {gib(memory)}"


def gib(count: int) -> str:
    """`131.4 GiB`, as vLLM tells of memory."""
    return f"{count / GIB:.1f} GiB"


def ways_out(
    model: Model, found: Estimate, gpus: Mapping[str, int], shape: Shape, gpu: Gpu | None
) -> Iterator[str]:
    """What would make it fit: lines to type, and more hosts."""

    def would(*more: str, hosts: Mapping[str, int] = gpus) -> bool:
        sized = size(hosts, arguments.read((*model.args, *more)), shape, gpu)
        return sized.verdict in (Verdict.FITS, Verdict.CLOSE)

    given = arguments.read(model.args)
    shorter = _rounded(found.longest or 0)
    if 0 < shorter < found.length and would(*(words := (LENGTH.name, str(shorter)))):
        yield _line(model, given, words)
    if CACHE_TYPE not in given and found.sequence and would(*(words := (CACHE_TYPE.name, "fp8"))):
        yield _line(model, given, words)
    if any(option in given for option in KINDS):
        width = max(gpus.values())
        for tensor in range(given.number(TENSOR) + 1, width + 1):
            words = (TENSOR.name, str(tensor))
            fits = tensor * (given.number(PIPELINE) or 1) * (given.number(DATA) or 1) <= sum(gpus.values())
            if width % tensor == 0 and fits and not uncut(shape, tensor) and would(*words):
                yield _line(model, given, words)
                break
    counts = [count for count in gpus.values() if count]
    if len(set(counts)) == 1 and not any(option in given for option in KINDS):
        for hosts in range(len(counts) + 1, MOST_HOSTS + 1):
            if would(hosts={str(number): counts[0] for number in range(hosts)}):
                yield f"{plural(hosts - len(counts), 'more host')} of {plural(counts[0], 'such GPU')}"
                break


def _rounded(length: int) -> int:
    return length // STEP * STEP if length > STEP else length


def _line(model: Model, given: Given, words: tuple[str, ...]) -> str:
    """The person's line with these words; the words alone where that has a key in it."""
    if API_KEY in given:
        return f"`{' '.join(words)}`"
    return ours("serve", model.name, "--", *model.args, *words)
