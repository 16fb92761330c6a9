"""How a model is spread over GPUs: tensor parallel within a host, pipeline parallel across.

As vLLM's documentation advises: https://docs.vllm.ai/en/latest/serving/parallelism_scaling.html
"""

from collections.abc import Mapping
from functools import reduce
from math import gcd

from orchestrator.frozen import dataclass
from orchestrator.plan.problem import plural
from orchestrator.plan.serving.spec import option_number, option_value

TENSOR = ("--tensor-parallel-size", "-tp")
PIPELINE = ("--pipeline-parallel-size", "-pp")
OTHER = (
    "--data-parallel-size",
    "-dp",
    "--data-parallel-size-local",
    "-dpl",
    "--prefill-context-parallel-size",
    "--config",  # a file of arguments, over which those of the command line win
)


FEWER = "ask for fewer, or leave the sizes out"


@dataclass(frozen=True, slots=True)
class Parallelism:
    """What is chosen for vLLM, as its arguments, and why, for people."""

    args: tuple[str, ...]
    why: str


def choose(gpus: Mapping[str, int], given: tuple[str, ...]) -> Parallelism:
    """The sizes that use all GPUs, by host, such that no tensor-parallel group leaves its host. Those `given` win."""
    counts = [count for count in gpus.values() if count]
    total, within = sum(counts), reduce(gcd, counts, 0)
    tensor, pipeline = option_number(given, *TENSOR), option_number(given, *PIPELINE)
    if not total or (tensor and pipeline) or _otherwise(given):
        return Parallelism((), "")
    chosen = []  # what is not given
    if not tensor:
        tensor = max(1, total // pipeline) if pipeline else within
        chosen.append((TENSOR[0], "tensor", tensor))
    if not pipeline:
        chosen.append((PIPELINE[0], "pipeline", max(1, total // tensor)))
    args = tuple(word for option, _, size in chosen for word in (option, str(size)))
    sizes = ", ".join(f"{kind} parallel {size}" for _, kind, size in chosen)
    return Parallelism(args, f"{sizes}, for {_describe(counts)}")


def sizes_given(args: tuple[str, ...]) -> bool:
    """Whether a person has given all sizes."""
    return bool(option_number(args, *TENSOR) and option_number(args, *PIPELINE)) or _otherwise(args)


def rank_count(args: tuple[str, ...]) -> int:
    """How many ranks there are to be, one for each GPU; 0 where that is not for us to say."""
    return (
        0 if _otherwise(args) else (option_number(args, *TENSOR) or 1) * (option_number(args, *PIPELINE) or 1)
    )


def _otherwise(args: tuple[str, ...]) -> bool:
    return any(option_value(args, name) for name in OTHER)


def too_many(gpus: Mapping[str, int], given: tuple[str, ...], says: str = "Ray lists") -> str:
    """Why there are not the GPUs that a person asks for; empty where there are, or nobody knows.

    `says`: who tells how many there are, as in "Ray lists".
    """
    tensor, pipeline = option_number(given, *TENSOR), option_number(given, *PIPELINE)
    asked, there = (tensor or 1) * (pipeline or 1), sum(gpus.values())
    if not there or asked <= there:
        return ""
    sizes = " times ".join(
        f"{name} parallel {size}" for name, size in (("tensor", tensor), ("pipeline", pipeline)) if size
    )
    return f"{sizes} needs {asked} GPUs, and {says} {there}"


def _describe(counts: list[int]) -> str:
    """`8 GPUs on each of 2 hosts`, or `12 GPUs on 2 hosts (8, 4)`."""
    hosts = plural(len(counts), "host")
    if len(set(counts)) == 1:
        each = "each of " if len(counts) > 1 else ""
        return f"{plural(counts[0], 'GPU')} on {each}{hosts}"
    return f"{sum(counts)} GPUs on {hosts} ({', '.join(map(str, counts))})"
