"""Fit of a model: what a GPU has to hold of it, and whether it does, before anything is loaded.

Weights are exact, from the headers of their files; so is the KV cache, by vLLM's own rules for full attention, grouped
and latent (MLA), and sliding windows. What vLLM needs besides (activations, CUDA graphs, NCCL) is in no file: OVERHEAD
stands for it, and CLOSE is as far as that may be wrong. https://docs.vllm.ai/en/latest/configuration/conserving_memory/
The rules were read in `v1/kv_cache_interface.py` and `v1/core/kv_cache_utils.py` of vLLM 0.20 and 0.32, and compared
with what vLLM 0.32 logs on CPUs.
"""

import math
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.model_shape import Gpu, Shape, stages
from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.arguments import (
    BATCHED_TOKENS,
    BLOCK,
    CACHE_BYTES,
    CACHE_TYPE,
    CONFIG,
    CONTEXT,
    DATA,
    DECODE_CONTEXT,
    LENGTH,
    MEMORY_OTHERWISE,
    NUMBERS,
    PIPELINE,
    QUANTIZATION,
    SEQUENCES,
    TENSOR,
    UTILIZATION,
    WINDOWS_OFF,
    Given,
    Option,
)

GIB = 1 << 30
USABLE = 0.9
"""VLLM's `--gpu-memory-utilization` before 0.92 became the default."""
OVERHEAD = 3 * GIB
CLOSE = 0.1
"""How much of the memory that may be used an estimate may be wrong by."""

LARGE = 70 * GIB
"""A GPU from which on vLLM schedules more tokens and sequences at once, unless it is an A100; from HUGE on yet more.

`get_batch_defaults` of `engine/arg_utils.py`, vLLM 0.32; 0.17 does not know the latter.
"""
HUGE = 160 * GIB
HUGE_BATCH, LARGE_BATCH, BATCH = (16384, 1024), (8192, 1024), (2048, 256)
BLOCK_TOKENS, LATENT_BLOCK = 16, 64
SPARSE_MLA = "fp8_ds_mla"
SPARSE_MLA_BYTES = 656
"""Of a token in a layer: 512 numbers of one byte, four scales of four, 64 of two (`flashmla_sparse.py`)."""
CACHE_TYPES = {"auto": 2, "bfloat16": 2, "float16": 2, "fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1, "fp8_inc": 1}
"""Bytes of a number in the KV cache."""
UNIT = re.compile(r"(\d+(?:_\d+)*(?:\.\d+)?)([kKmMgGtT]?)")
SHARE = re.compile(r"\d?\.\d{1,9}|\d\.?")
AUTO = -1
"""For a length: as long as fits."""


class Verdict(StrEnum):
    """Whether it fits. CLOSE: within what the estimate may be wrong by."""

    FITS = "fits"
    CLOSE = "close"
    NOT = "does not fit"
    UNKNOWN = "not estimated"


@dataclass(frozen=True, slots=True)
class Asked:
    """What arguments say of memory. `length`: 0 for the model's own, AUTO for as long as fits.

    `cache_type`: bytes of a number; `cache`: bytes of a GPU's KV cache, 0 for what is left; `batched` and `sequences`:
    0 for vLLM's own. `overlaps`: whether a step is scheduled while another runs. `why`: why nothing is estimated.
    """

    length: int = 0
    usable: float = USABLE
    cache_type: int = 2
    sparse_mla: bool = False
    cache: int = 0
    batched: int = 0
    sequences: int = 0
    block: int = 0
    windows: bool = True
    overlaps: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class Cache:
    """The KV cache of a pipeline stage: blocks of `block` tokens, of which each group of layers takes its own.

    `windows`: of each group, 0 where it sees all. `pool`: layers of the largest group on the stage; `page`: bytes of a
    block in one layer. `batched`: tokens whose blocks are not free yet, as they are computed.
    """

    block: int
    page: int
    pool: int
    windows: tuple[int, ...]
    batched: int

    def blocks(self, length: int) -> int:
        """How many a sequence of that length takes: of a window, what is being computed, too, and one for its edges."""
        return sum(
            math.ceil(min(window - 1 + self.batched, length) / self.block) + 1
            if window
            else math.ceil(length / self.block)
            for window in self.windows
        )

    def bytes(self, length: int) -> int:
        """What it takes on a GPU of the stage."""
        return self.pool * self.page * self.blocks(length)

    def blocks_in(self, room: int) -> int:
        """How many there are in so many bytes."""
        return max(0, room) // (self.pool * self.page)

    def longest(self, room: int, most: int) -> int:
        """The longest sequence in so many bytes, 0 where there is none."""
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.bytes(middle) <= room else (low, middle - 1)
        return low


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the fullest GPU holds, in bytes, and whether it does; None for what is not known, and `why` that is.

    `usable`: of the GPU's memory; `weights`; `room`: for the KV cache; `sequence`: what one of `length` tokens takes of
    it. `longest`: the longest sequence there is room for; `sequences`: how many of `length` at once on all GPUs, and
    `most` that vLLM takes.
    """

    verdict: Verdict
    length: int
    gpu: Gpu | None = None
    usable: int | None = None
    weights: int | None = None
    room: int | None = None
    sequence: int | None = None
    longest: int | None = None
    sequences: float | None = None
    most: int | None = None
    why: str = ""


def estimate(shape: Shape, sizes: Mapping[Option, int], given: Given, gpu: Gpu | None) -> Estimate:
    """Whether a model cut to these sizes fits GPUs like the one that is given, None where its memory is not known."""
    of = asked(given, shape)
    length = of.length if of.length > 0 else shape.longest
    if of.why or sizes[CONTEXT] > 1:
        return Estimate(Verdict.UNKNOWN, length, gpu, why=of.why or f"{CONTEXT.name} is given")
    weights = loads(shape, sizes)
    caches = None if unclear(shape, given) else tuple(kv_caches(shape, sizes, of, gpu))
    if gpu is None or weights is None:
        return Estimate(
            Verdict.UNKNOWN,
            length,
            gpu,
            weights=max(weights) if weights else None,
            sequence=max(each.bytes(length) for each in caches) if caches else None,
            why="the size of its weights is not known" if weights is None else NO_MEMORY,
        )
    return _compared(shape, sizes, of, gpu, weights, caches, unclear(shape, given))


NO_MEMORY = "the memory of its GPUs is not known"


def _compared(
    shape: Shape,
    sizes: Mapping[Option, int],
    of: Asked,
    gpu: Gpu,
    weights: tuple[int, ...],
    caches: tuple[Cache, ...] | None,
    why: str,
) -> Estimate:
    usable = gpu.memory if of.cache else int(gpu.memory * of.usable)
    if caches is None:
        weighs = max(weights)
        over = weighs + OVERHEAD > usable * (1 + CLOSE)
        return Estimate(Verdict.NOT if over else Verdict.UNKNOWN, shape.longest, gpu, usable, weighs, why=why)
    rooms = tuple(of.cache or usable - each - OVERHEAD for each in weights)
    most = max(of.length, shape.longest)
    longest = min(each.longest(room, most) for each, room in zip(caches, rooms, strict=True))
    length = max(1, longest) if of.length == AUTO else of.length or shape.longest
    needs = [each.bytes(1 if of.length == AUTO else length) for each in caches]
    # The stage that is fullest decides.
    filled = [held + OVERHEAD + (of.cache or need) for held, need in zip(weights, needs, strict=True)]
    fullest = filled.index(max(filled))
    blocks = min(each.blocks_in(room) for each, room in zip(caches, rooms, strict=True))
    return Estimate(
        Verdict.NOT if of.cache and longest < length else _verdict(filled[fullest] / usable),
        length,
        gpu,
        usable,
        weights[fullest],
        rooms[fullest],
        needs[fullest],
        longest,
        blocks / caches[0].blocks(length) * (sizes[DATA] or 1),
        (of.sequences or _batch(gpu)[1]) * (sizes[DATA] or 1),
    )


def _verdict(share: float) -> Verdict:
    if share > 1 + CLOSE:
        return Verdict.NOT
    return Verdict.CLOSE if share > 1 - CLOSE else Verdict.FITS


def asked(given: Given, shape: Shape) -> Asked:
    """What of it decides how much memory the model takes."""
    cache_type = given.value(CACHE_TYPE) or "auto"
    return Asked(
        length=AUTO if given.value(LENGTH).lower() in ("-1", "auto") else count(given.value(LENGTH)),
        usable=_share(given.value(UTILIZATION)),
        cache_type=CACHE_TYPES.get(cache_type, 2),
        sparse_mla=cache_type == SPARSE_MLA,
        cache=count(given.value(CACHE_BYTES)),
        batched=count(given.value(BATCHED_TOKENS)),
        sequences=count(given.value(SEQUENCES)),
        block=count(given.value(BLOCK)),
        windows=WINDOWS_OFF not in given,
        why=_unestimated(given, shape),
    )


def _share(text: str) -> float:
    share = float(text) if SHARE.fullmatch(text) else 0.0
    return share if 0 < share <= 1 else USABLE


def _unestimated(given: Given, shape: Shape) -> str:
    """The first of the arguments that makes it another model than its files tell of, as a reason."""
    other = [each for each in (*MEMORY_OTHERWISE, CONFIG) if each in given]
    if given.number(DECODE_CONTEXT) > 1:
        other.append(DECODE_CONTEXT)
    if QUANTIZATION in given and given.value(QUANTIZATION) != shape.quantized:
        other.append(QUANTIZATION)
    if given.value(NUMBERS) in ("float", "float32"):
        other.append(NUMBERS)
    return f"{other[0].name} is given" if other else ""


def unclear(shape: Shape, given: Given) -> str:
    """Why its KV cache cannot be told."""
    cache_type = given.value(CACHE_TYPE) or "auto"
    if shape.odd:
        return shape.odd
    if cache_type not in (*CACHE_TYPES, SPARSE_MLA) or (cache_type == SPARSE_MLA and not shape.latent):
        return f"{CACHE_TYPE.name} {cache_type} is given"
    return "its quantisation has a KV cache of its own" if cache_type == "auto" and shape.own_cache else ""


def count(text: str) -> int:
    """A number as vLLM reads it: 32k is 32000, 32K is 32768. 0 where it is none."""
    found = UNIT.fullmatch(text.strip())
    if not found or len(text) > arguments.LONGEST * 2:
        return 0
    number, unit = found.groups()
    power = "kmgt".find(unit.lower()) + 1 if unit else 0
    return int(float(number) * (1000 if unit.islower() else 1024) ** power)


def loads(shape: Shape, sizes: Mapping[Option, int]) -> tuple[int, ...] | None:
    """Bytes of weights on a GPU of each pipeline stage; None where they are not known.

    Experts are spread over the data-parallel ranks, too, with expert parallelism or without
    (https://docs.vllm.ai/en/latest/serving/data_parallel_deployment/); all else is in each of them.
    """
    tensor, pipeline, data = (sizes[option] or 1 for option in (TENSOR, PIPELINE, DATA))
    of = shape.weights
    if not of.layers:
        known = of.total and not (shape.experts and data > 1)
        return (math.ceil(of.total / (tensor * pipeline)),) * pipeline if known else None
    found = []
    for number, stage in enumerate(stages(shape.layers, pipeline)):
        alike, spread, keys, copied = (
            sum(each[layer] for layer in stage) if each else 0
            for each in (of.layers, of.experts, of.keys, of.copied)
        )
        if number == 0:
            alike += of.first + of.rest
        if number == pipeline - 1:  # where input and output share a matrix, each end has its own
            alike += of.last or (of.first if pipeline > 1 else 0)
        cut = alike / tensor + keys / min(tensor, shape.kv_heads) + spread / (tensor * data)
        found.append(math.ceil(cut + copied))
    return tuple(found)


def kv_caches(shape: Shape, sizes: Mapping[Option, int], of: Asked, gpu: Gpu | None) -> Iterator[Cache]:
    """The KV cache of each pipeline stage."""
    windows = shape.windows if of.windows or len(set(shape.windows)) == 1 else (0,) * shape.layers
    groups = grouped(windows)
    block = of.block or (LATENT_BLOCK if shape.latent else BLOCK_TOKENS)
    # A batch for each stage, and another that is scheduled meanwhile: `max_in_flight_tokens` of `config/vllm.py`, vLLM
    # 0.32 on GPUs. Older ones keep one in mind.
    batched = (of.batched or _batch(gpu)[0]) * ((sizes[PIPELINE] or 1) + of.overlaps)
    page = block * per_token(shape, sizes[TENSOR] or 1, of.cache_type, sparse_mla=of.sparse_mla)
    for stage in stages(shape.layers, sizes[PIPELINE] or 1):
        pool = max(sum(layer in stage for layer in layers) for _, layers in groups)
        yield Cache(block, page, max(1, pool), tuple(window for window, _ in groups), batched)


def per_token(shape: Shape, tensor: int, size: int, *, sparse_mla: bool = False) -> int:
    """Bytes of a token's keys and values in one layer on one GPU. `size`: of a number.

    MLA keeps one head, which every rank has whole; fewer heads than ranks are copied.
    """
    if shape.latent:
        return SPARSE_MLA_BYTES if sparse_mla else shape.latent * size
    return 2 * max(1, shape.kv_heads // tensor) * shape.head_dim * size


@cache
def grouped(windows: tuple[int, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Groups of layers with the same window, as vLLM makes them to be alike in size; the last ones are padded.

    `_get_kv_cache_groups_uniform_page_size` of `v1/core/kv_cache_utils.py`.
    """
    alike: dict[int, list[int]] = {}
    for layer, window in enumerate(windows):
        alike.setdefault(window, []).append(layer)
    least, most = min(map(len, alike.values())), max(map(len, alike.values()))
    size = most if most < least * 1.5 else least
    return tuple(
        (window, tuple(layers[number :: math.ceil(len(layers) / size)]))
        for window, layers in alike.items()
        for number in range(math.ceil(len(layers) / size))
    )


def _batch(gpu: Gpu | None) -> tuple[int, int]:
    """How many tokens and sequences vLLM takes at once by itself."""
    if gpu and gpu.memory >= HUGE:
        return HUGE_BATCH
    return BATCH if gpu and (gpu.memory < LARGE or "a100" in gpu.name.lower()) else LARGE_BATCH
