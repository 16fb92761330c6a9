"""Weights of a model in memory: bytes by part, as the headers of its files tell them and as vLLM loads them."""

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.frozen import dataclass

MOST = 1 << 50
"""More than anything that a configuration counts."""
NARROWED = {"F64": 4, "F32": 2}
"""Types of numbers that vLLM loads as two bytes each, and by how much they shrink, where a model is not quantised."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Bytes of a model's weights in memory. `total`: of all; 0 where they are not known.

    By layer: `experts`, `keys` with the values, `copied` to each rank, and `layers`, the rest of them. `first`: the
    embedding; `last`: the output's; `rest`: all else, such as a vision tower. Empty where a header was missing.
    """

    total: int
    layers: tuple[int, ...] = ()
    experts: tuple[int, ...] = ()
    keys: tuple[int, ...] = ()
    copied: tuple[int, ...] = ()
    first: int = 0
    last: int = 0
    rest: int = 0


def counted(config: Mapping[str, Any], name: str) -> int:
    """0 where it is none."""
    value = config.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < MOST else 0


def word(config: Mapping[str, Any], name: str) -> str:
    value = config.get(name)
    return value if isinstance(value, str) and value.isprintable() else ""


def narrowed(configs: Iterable[Mapping[str, Any]], quantized: str) -> int:
    """By how much numbers shrink as they are loaded, where no header tells their type; 0 where nothing does."""
    kinds = (word(each, name) for each in configs for name in ("torch_dtype", "dtype"))
    kind = next(filter(None, kinds), "")
    return 1 if quantized else {"float64": 4, "float32": 2, "float16": 1, "bfloat16": 1}.get(kind, 0)


def parse_weights(told: Any, layers: int, quantized: str, shrunk: int, *, tied: bool = False) -> Weights:
    """By part where every header was read; else all of it, as the index or the files have it.

    `shrunk`: by how much numbers shrink, 0 where nobody knows. `tied`: whether the embedding is the output's matrix,
    too: vLLM does not load another that a file may have.
    """
    if not isinstance(told, dict):
        return Weights(0)
    read, of = counted(told, "read"), counted(told, "of")
    parts = told.get("parts")
    if not isinstance(parts, dict) or not read or read < of:
        files = counted(told, "bytes") if shrunk and not read else 0
        return Weights((counted(told, "total") or files) // max(1, shrunk))
    sizes = {name: _bytes(each, bool(quantized)) for name, each in parts.items()}
    # Layers beyond the last are for speculative decoding (MTP), and not loaded without it.
    by_layer, experts, keys, copied = (
        tuple(sizes.get(f"{kind} {number}", 0) for number in range(layers))
        for kind in ("layer", "experts", "keys", "copied")
    )
    ends = {name: sizes.get(name, 0) for name in ("first", "last", "rest")}
    if tied and ends["first"]:
        ends["last"] = 0
    total = sum((*by_layer, *experts, *keys, *copied, *ends.values()))
    return Weights(total, by_layer, experts, keys, copied, **ends)


def _bytes(sizes: Any, quantized: bool) -> int:
    return sum(_loaded(kind, size, quantized) for kind, size in sizes.items())


def _loaded(kind: str, size: int, quantized: bool) -> int:
    return size if quantized else size // NARROWED.get(kind, 1)
