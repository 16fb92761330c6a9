"""How a model is spread over GPUs: tensor parallel within a host, pipeline parallel across, experts over all of them.

As vLLM's documentation advises: https://docs.vllm.ai/en/latest/serving/parallelism_scaling.html, and for experts
https://docs.vllm.ai/en/latest/serving/expert_parallel_deployment/

Data-parallel ranks and prefill-context-parallel ones have GPUs of their own; decode-context and expert parallel
spread over those of the others (`vllm/config/parallel.py`, vLLM 0.11.0 to 0.33.0).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import reduce
from math import gcd, prod

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.model_shape import Shape
from orchestrator.plan.problem import plural
from orchestrator.plan.serving.arguments import (
    CONTEXT,
    DATA,
    EXPERT_PARALLEL,
    PIPELINE,
    TENSOR,
    Given,
    Option,
)

KINDS: Mapping[Option, str] = {
    TENSOR: "tensor",
    PIPELINE: "pipeline",
    CONTEXT: "prefill-context",
    DATA: "data",
}


@dataclass(frozen=True, slots=True)
class Parallelism:
    """What is chosen for vLLM, as its arguments, and why, for people. `sizes`: those and the given ones, 0 for none.

    `device`: what a GPU is called there.
    """

    args: tuple[str, ...]
    why: str
    sizes: Mapping[Option, int]
    device: str = "GPU"

    @property
    def ranks(self) -> int:
        """How many there are to be, one for each GPU."""
        return ranks(self.sizes)

    @property
    def data(self) -> int:
        return self.sizes[DATA] or 1

    @property
    def within_data(self) -> int:
        """How many are one data-parallel rank."""
        return self.ranks // self.data


def ranks(sizes: Mapping[Option, int]) -> int:
    """How many ranks of those sizes there are, one for each GPU."""
    return prod(size or 1 for size in sizes.values())


def choose(
    gpus: Mapping[str, int], given: Given, shape: Shape | None = None, device: str = "GPU"
) -> Parallelism:
    """The sizes that use all GPUs, by host, such that no tensor-parallel group leaves its host. Those `given` win.

    Where a given one leaves no way to use all, fewer are used before a group would lie across hosts. With a `shape` no
    size is chosen that vLLM could not cut the model to.
    """
    sizes = {option: given.number(option) for option in KINDS}
    counts = [count for count in gpus.values() if count]
    total, within = sum(counts), reduce(gcd, counts, 0)
    others = (sizes[DATA] or 1) * (sizes[CONTEXT] or 1)
    if sizes_given(given) or not total or total % others or not _whole(counts, total // (sizes[DATA] or 1)):
        return Parallelism((), "", sizes, device)
    chosen, why = [], ""  # what is not given
    share = total // others
    whole = EXPERT_PARALLEL in given  # whether each expert stays whole
    if not sizes[TENSOR]:
        pipeline = sizes[PIPELINE]
        wanted = _tensor(counts, share, pipeline, others) if pipeline else gcd(within, share)
        sizes[TENSOR] = _cuttable(wanted, shape, whole=whole)
        why = "" if sizes[TENSOR] == wanted else f"; {uncut(shape, wanted, whole=whole)}"
        chosen.append(TENSOR)
    if not sizes[PIPELINE]:
        tensor = sizes[TENSOR]
        stages = max(1, share // tensor if share % tensor == 0 else _groups(counts, tensor) // others)
        sizes[PIPELINE] = min(stages, shape.most_stages) if shape else stages
        chosen.append(PIPELINE)
    args = tuple(word for option in chosen for word in (option.name, str(sizes[option])))
    said = ", ".join(f"{KINDS[option]} parallel {sizes[option]}" for option in chosen)
    used = ranks(sizes)
    few = f"; {used} of {total} are used" if used < total else ""
    return Parallelism(args, f"{said}, for {_describe(counts, device)}{why}{few}", sizes, device)


def candidates(
    gpus: Mapping[str, int], given: Given, shape: Shape, device: str = "GPU", *, every: bool = False
) -> Iterator[Parallelism]:
    """Ways to spread a model, those on the fewest hosts first; `every`: only those on all.

    On several hosts, one of experts has them spread over all GPUs, and its attention in data-parallel ranks; only then
    in pipeline stages. Where sizes are given, or hosts differ, there is one way.
    """
    counts = [count for count in gpus.values() if count]
    alone = any(option in given for option in (*KINDS, EXPERT_PARALLEL)) or len(set(counts)) != 1
    if alone:
        yield choose(gpus, given, shape, device)
        return
    names, total = [name for name, count in gpus.items() if count], sum(counts)
    for hosts in range(len(names) if every else 1, len(names) + 1):
        some = {name: gpus[name] for name in names[:hosts]}
        by_experts = _by_experts(some, shape, device) if shape.experts and hosts > 1 else ()
        for way in (*by_experts, choose(some, given, shape, device)):
            left = f"; {total - way.ranks} of {total} {device}s are left" if hosts < len(names) else ""
            yield replace(way, why=f"{way.why}{left}")


def _by_experts(gpus: Mapping[str, int], shape: Shape, device: str) -> Iterator[Parallelism]:
    """With attention as narrow as copies none of its KV cache, and as wide as a host, which takes the least memory."""
    counts = list(gpus.values())
    total = sum(counts)
    narrow = 1 if shape.latent else gcd(counts[0], shape.kv_heads)
    for wanted in dict.fromkeys((narrow, counts[0])):
        tensor = _cuttable(wanted, shape, whole=True)
        data = total // tensor
        if tensor * data > shape.experts:
            continue
        sizes = {**dict.fromkeys(KINDS, 0), TENSOR: tensor, DATA: data}
        args = (TENSOR.name, str(tensor), DATA.name, str(data), EXPERT_PARALLEL.name)
        said = f"its {shape.experts} experts over all, tensor parallel {tensor}, data parallel {data}"
        yield Parallelism(args, f"{said}, for {_describe(counts, device)}", sizes, device)


def _cuttable(wanted: int, shape: Shape | None, *, whole: bool) -> int:
    """The largest part of a tensor size that the model can be cut to."""
    parts = (size for size in range(wanted, 0, -1) if wanted % size == 0)
    return next(size for size in parts if size == 1 or not uncut(shape, size, whole=whole))


def uncut(shape: Shape | None, tensor: int, *, whole: bool = False) -> str:
    """Why vLLM cannot cut the model to that tensor size; empty where it can, or nobody knows.

    Heads: `verify_with_parallel_config` of `config/model.py`, and the attention of each model, which copies heads of
    the KV cache only where every rank has one. Widths: `divide` of `distributed/utils.py`, in the layers of
    `model_executor/layers`; what is quantised, in whole blocks. The vocabulary: filled up to 64 first. All of vLLM
    0.32. `whole`: whether experts are not cut.
    """
    if shape is None or tensor == 1:
        return ""
    if shape.heads % tensor:
        return f"its {shape.heads} heads cannot be cut by {tensor}"
    keys = shape.kv_heads
    if not shape.latent and (keys % tensor if keys >= tensor else tensor % keys):
        return f"its {plural(keys, 'head')} of the KV cache cannot be cut by {tensor}"
    expert = () if whole or not shape.expert else ((shape.expert, shape.expert_grain),)
    for width, grain in (*((each, shape.grain) for each in shape.cut), *expert):
        if width % tensor or (width // tensor) % (grain if width % grain == 0 else 1):
            blocks = f" in blocks of {grain}" if width % tensor == 0 else ""
            return f"its width of {width} cannot be cut by {tensor}{blocks}"
    if -(-shape.vocabulary // 64) * 64 % tensor:
        return f"its vocabulary of {shape.vocabulary} cannot be cut by {tensor}"
    return ""


def _tensor(counts: list[int], share: int, pipeline: int, others: int) -> int:
    """The largest size for so many stages: all GPUs where that is a part of a host or whole hosts, or else a part."""
    within = reduce(gcd, counts)
    if share % pipeline == 0 and (within % (size := share // pipeline) == 0 or size % within == 0):
        return size
    fit = (n for n in range(within, 0, -1) if within % n == 0 and _groups(counts, n) >= pipeline * others)
    return next(fit, 1)


def _groups(counts: list[int], size: int) -> int:
    """How many groups of that size there are, none of them on two hosts."""
    return sum(count // size for count in counts)


def _whole(counts: list[int], share: int) -> bool:
    """Whether hosts can be cut into shares of that many GPUs, or put together to them."""
    return share == sum(counts) or all(
        count % share == 0 if count >= share else share % count == 0 for count in counts
    )


def sizes_given(given: Given) -> bool:
    """Whether a person has given all sizes."""
    return bool(given.number(TENSOR) and given.number(PIPELINE))


def too_many(gpus: Mapping[str, int], given: Given, says: str = "Ray lists", device: str = "GPU") -> str:
    """Why there are not the GPUs that a person asks for; empty where there are, or nobody knows.

    `says`: who tells how many there are, as in "Ray lists".
    """
    sizes = {option: given.number(option) for option in KINDS}
    asked, there = ranks(sizes), sum(gpus.values())
    if not there or asked <= there:
        return ""
    said = " times ".join(f"{KINDS[option]} parallel {size}" for option, size in sizes.items() if size)
    return f"{said} needs {asked} {device}s, and {says} {there}"


def _describe(counts: list[int], device: str) -> str:
    """`8 GPUs on each of 2 hosts`, or `12 GPUs on 2 hosts (8, 4)`."""
    hosts = plural(len(counts), "host")
    if len(set(counts)) == 1:
        each = "each of " if len(counts) > 1 else ""
        return f"{plural(counts[0], device)} on {each}{hosts}"
    return f"{sum(counts)} {device}s on {hosts} ({', '.join(map(str, counts))})"
