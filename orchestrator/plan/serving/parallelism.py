"""How a model is spread over GPUs: tensor parallel within a host, pipeline parallel across.

As vLLM's documentation advises: https://docs.vllm.ai/en/latest/serving/parallelism_scaling.html

Data-parallel ranks and prefill-context-parallel ones have GPUs of their own; decode-context and expert parallel
spread over those of the others (`vllm/config/parallel.py`, vLLM 0.11.0 to 0.33.0).
"""

from collections.abc import Mapping
from functools import reduce
from math import gcd, prod

from orchestrator.frozen import dataclass
from orchestrator.plan.problem import plural
from orchestrator.plan.serving.arguments import CONTEXT, DATA, PIPELINE, TENSOR, Given, Option

FEWER = "ask for fewer, or leave the sizes out"
KINDS: Mapping[Option, str] = {
    TENSOR: "tensor",
    PIPELINE: "pipeline",
    CONTEXT: "prefill-context",
    DATA: "data",
}


@dataclass(frozen=True, slots=True)
class Parallelism:
    """What is chosen for vLLM, as its arguments, and why, for people. `sizes`: those and the given ones, 0 for none."""

    args: tuple[str, ...]
    why: str
    sizes: Mapping[Option, int]

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


def choose(gpus: Mapping[str, int], given: Given) -> Parallelism:
    """The sizes that use all GPUs, by host, such that no tensor-parallel group leaves its host. Those `given` win.

    Where a given one leaves no way to use all, fewer are used before a group would lie across hosts.
    """
    sizes = {option: given.number(option) for option in KINDS}
    counts = [count for count in gpus.values() if count]
    total, within = sum(counts), reduce(gcd, counts, 0)
    others = (sizes[DATA] or 1) * (sizes[CONTEXT] or 1)
    if sizes_given(given) or not total or total % others or not _whole(counts, total // (sizes[DATA] or 1)):
        return Parallelism((), "", sizes)
    chosen = []  # what is not given
    share = total // others
    if not sizes[TENSOR]:
        pipeline = sizes[PIPELINE]
        sizes[TENSOR] = _tensor(counts, share, pipeline, others) if pipeline else gcd(within, share)
        chosen.append(TENSOR)
    if not sizes[PIPELINE]:
        tensor = sizes[TENSOR]
        sizes[PIPELINE] = max(
            1, share // tensor if share % tensor == 0 else _groups(counts, tensor) // others
        )
        chosen.append(PIPELINE)
    args = tuple(word for option in chosen for word in (option.name, str(sizes[option])))
    said = ", ".join(f"{KINDS[option]} parallel {sizes[option]}" for option in chosen)
    used = ranks(sizes)
    few = f"; {used} of {total} are used" if used < total else ""
    return Parallelism(args, f"{said}, for {_describe(counts)}{few}", sizes)


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


def too_many(gpus: Mapping[str, int], given: Given, says: str = "Ray lists") -> str:
    """Why there are not the GPUs that a person asks for; empty where there are, or nobody knows.

    `says`: who tells how many there are, as in "Ray lists".
    """
    sizes = {option: given.number(option) for option in KINDS}
    asked, there = ranks(sizes), sum(gpus.values())
    if not there or asked <= there:
        return ""
    said = " times ".join(f"{KINDS[option]} parallel {size}" for option, size in sizes.items() if size)
    return f"{said} needs {asked} GPUs, and {says} {there}"


def _describe(counts: list[int]) -> str:
    """`8 GPUs on each of 2 hosts`, or `12 GPUs on 2 hosts (8, 4)`."""
    hosts = plural(len(counts), "host")
    if len(set(counts)) == 1:
        each = "each of " if len(counts) > 1 else ""
        return f"{plural(counts[0], 'GPU')} on {each}{hosts}"
    return f"{sum(counts)} GPUs on {hosts} ({', '.join(map(str, counts))})"
