"""Sizing of a model: over which GPUs it is spread, whether it fits them, and what would make it fit."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Model
from orchestrator.plan.facts.model_shape import Gpu, Shape
from orchestrator.plan.problem import HostProblem, Problem, plural
from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.arguments import (
    CACHE_TYPE,
    DATA,
    EXPERT_PARALLEL,
    LENGTH,
    OVERRIDES,
    PIPELINE,
    TENSOR,
    Given,
    Option,
)
from orchestrator.plan.serving.fit import GIB, OVERHEAD, Estimate, Verdict, count, estimate
from orchestrator.plan.serving.parallelism import KINDS, Parallelism, candidates, choose, uncut
from orchestrator.plan.serving.presence import Presence
from orchestrator.plan.serving.servers import again, with_args

MOST_HOSTS = 64
"""How many are tried where it would fit more of them."""
SHORT = 4096
"""A length below it is none that is worth while where the model may fit as it is."""
STEP = 1024
"""Lengths that are proposed are multiples of it, if they are any longer."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """The sizes for a model, and what they come to; no estimate where nothing is known of its shape.

    `gpus`: how many of each host it may have, `gpu`: the one with the least memory, None where that is not known.
    """

    chosen: Parallelism
    gpus: Mapping[str, int]
    shape: Shape | None = None
    gpu: Gpu | None = None
    estimate: Estimate | None = None

    @property
    def verdict(self) -> Verdict:
        return self.estimate.verdict if self.estimate else Verdict.UNKNOWN


def sized(
    gpus: Mapping[str, int], given: Given, there: Presence, device: str, *, every: bool = False
) -> Sizing:
    """The sizes for these GPUs, by host, by what the hosts have told of the model and of themselves."""
    gpu = there.gpu(host for host, count in gpus.items() if count)
    return size(gpus, given, there.shape, gpu, device, every=every)


def size(
    gpus: Mapping[str, int],
    given: Given,
    shape: Shape | None,
    gpu: Gpu | None,
    device: str = "GPU",
    *,
    every: bool = False,
) -> Sizing:
    """The sizes on the fewest hosts that it fits, else where it comes closest; on all, where nobody knows.

    Where its weights alone are known, on the fewest on which they leave half of the memory.

    `every`: on all of them, for so many were asked for.
    """
    if shape is None or not any(gpus.values()):
        return Sizing(choose(gpus, given, shape, device), gpus, shape, gpu)
    ways = [
        Sizing(way, gpus, shape, gpu, estimate(shape, way.sizes, given, gpu))
        for way in candidates(gpus, given, shape, device, every=every)
    ]
    if fitting := next((each for each in ways if each.verdict is Verdict.FITS), None):
        return fitting
    unknown = [each for each in ways if each.verdict is Verdict.UNKNOWN]
    if not unknown:
        return min(ways, key=_held)
    if roomy := next(filter(_is_roomy, unknown), None):
        return roomy
    by_experts = [each for each in unknown if EXPERT_PARALLEL.name in each.chosen.args]
    return by_experts[-1] if by_experts else max(unknown, key=lambda each: each.chosen.ranks)


def _is_roomy(sizing: Sizing) -> bool:
    """Whether the weights leave half of the memory: enough where the KV cache cannot be told, but is no larger."""
    found = sizing.estimate
    return bool(found and found.weights and found.usable and found.weights + OVERHEAD <= found.usable / 2)


def _held(sizing: Sizing) -> int:
    held = sizing.estimate
    return (held.weights or 0) + (held.sequence or 0) if held else 0


def misfit(model: Model, sizing: Sizing | None) -> Problem | None:
    """Why it does not fit, or cannot be cut to the sizes that are given; None where it may, or nobody knows."""
    if sizing is None or sizing.shape is None:
        return None
    given, found = arguments.read(model.args), sizing.estimate
    tensor, pipeline = given.number(TENSOR), given.number(PIPELINE)
    if tensor and (why := uncut(sizing.shape, tensor, whole=EXPERT_PARALLEL in given)):
        return Problem(f"{TENSOR.name} {tensor}: {why}", _line(model, TENSOR))
    if pipeline > (most := sizing.shape.most_stages):
        why = (
            f"it has {plural(most, 'layer')}"
            if most == sizing.shape.layers
            else "vLLM has no pipeline for it"
        )
        few = f"{PIPELINE.name} {pipeline}: {why}"
        return Problem(few, _line(model, PIPELINE))
    if found is None or found.verdict is not Verdict.NOT:
        return None
    text = f"{model.name} does not fit: {held(found)}, and vLLM may use {usable(found)}"
    return Problem(text, ", or ".join(ways_out(model, sizing)))


def close(model: Model, sizing: Sizing | None) -> Problem | None:
    """That it may not fit; None where it does, or does not, or nobody knows."""
    found = sizing.estimate if sizing else None
    if found is None or sizing is None or found.verdict is not Verdict.CLOSE:
        return None
    out = ", or ".join(ways_out(model, sizing))
    text = f"{model.name} may not fit: {held(found)}, and vLLM may use {usable(found)}"
    return Problem(text, f"if it does not: {out}" if out else "")


def refusals(host: str, model: Model, sizing: Sizing | None) -> tuple[HostProblem, ...]:
    """Why it is not started."""
    why = misfit(model, sizing)
    if why is None:
        return ()
    fix = "; ".join(filter(None, (why.fix, f"{again(model, force=True)} starts it all the same")))
    return (HostProblem(host, Problem(why.text, fix)),)


def doubts(host: str, model: Model, sizing: Sizing | None) -> tuple[HostProblem, ...]:
    """That it does not fit, or may not, where it is started all the same; and that a text would be too long."""
    found = (misfit(model, sizing) or close(model, sizing), _too_long(model, sizing))
    return tuple(HostProblem(host, why) for why in found if why)


def _too_long(model: Model, sizing: Sizing | None) -> Problem | None:
    """That vLLM refuses a length: `_get_and_verify_max_len` of `config/model.py`."""
    given = arguments.read(model.args)
    most, asked = sizing.shape.most if sizing and sizing.shape else 0, count(given.value(LENGTH))
    if not most or asked <= most or OVERRIDES in given or "--rope-scaling" in model.args:
        return None
    text = f"{LENGTH.name} {asked}: its configuration tells of {most} tokens at most"
    unless = "vLLM refuses more without VLLM_ALLOW_LONG_MAX_MODEL_LEN"
    return Problem(f"{text}, and {unless}", _line(model, LENGTH, str(most)))


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


def ways_out(model: Model, sizing: Sizing) -> Iterator[str]:
    """What would make it fit: lines to type, and more hosts. Of one that is close, what would for sure."""
    found, shape = sizing.estimate, sizing.shape
    if found is None or shape is None or found.verdict not in (Verdict.NOT, Verdict.CLOSE):
        return
    is_close = found.verdict is Verdict.CLOSE
    better = {Verdict.FITS}
    if not is_close:
        better.add(Verdict.UNKNOWN if found.sequence is None else Verdict.CLOSE)

    def would(*more: str, hosts: Mapping[str, int] = sizing.gpus) -> bool:
        return size(hosts, arguments.read((*model.args, *more)), shape, sizing.gpu).verdict in better

    given = arguments.read(model.args)
    shorter = _shorter(found, lambda length: would(LENGTH.name, str(length)))
    if shorter >= (SHORT if is_close else 1):
        yield _line(model, LENGTH, str(shorter))
    if CACHE_TYPE not in given and found.sequence and would(CACHE_TYPE.name, "fp8"):
        yield _line(model, CACHE_TYPE, "fp8")
    counts = [count for count in sizing.gpus.values() if count]
    if any(option in given for option in KINDS):
        wider = (
            size for size in _wider(given, counts) if not uncut(shape, size) and would(TENSOR.name, str(size))
        )
        yield from (_line(model, TENSOR, str(size)) for size in islice(wider, 1))
    else:
        yield from islice(_more(model, counts, lambda gpus: would(hosts=gpus)), 1)


def _more(model: Model, counts: list[int], would: Callable[[Mapping[str, int]], bool]) -> Iterator[str]:
    """How many GPUs or hosts more it would fit, the fewest first."""
    for gpus in (model.gpus * factor for factor in (2, 4, 8) if model.gpus):
        if would({"": gpus}):
            yield f"{plural(gpus, 'GPU')} (--gpus {gpus})"
    if model.gpus or len(set(counts)) != 1:
        return
    for hosts in range(len(counts) + 1, MOST_HOSTS + 1):
        if would({str(host): counts[0] for host in range(hosts)}):
            yield f"{plural(hosts - len(counts), 'more host')} of {plural(counts[0], 'such GPU')}"


def _wider(given: Given, counts: list[int]) -> Iterator[int]:
    """Larger tensor sizes than the one that is given, for which there are GPUs, within a host."""
    others = (given.number(PIPELINE) or 1) * (given.number(DATA) or 1)
    for tensor in range(given.number(TENSOR) + 1, max(counts) + 1):
        if max(counts) % tensor == 0 and tensor * others <= sum(counts):
            yield tensor


def _shorter(found: Estimate, would: Callable[[int], bool]) -> int:
    """The longest sequence with which it fits, of those that are shorter; 0 where none does."""
    longest = min(found.longest or 0, found.length - 1)
    if longest <= STEP:
        return longest if longest > 0 and would(longest) else 0
    low, high = 0, longest // STEP
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if would(middle * STEP) else (low, middle - 1)
    return low * STEP


def _line(model: Model, option: Option, value: str = "") -> str:
    """The person's line with another value for an option, or without it."""
    return with_args(model, arguments.without(model.args, option), *((option.name, value) if value else ()))
