"""An inventory of the lab, as YAML, without a YAML library."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .image import TAG

PLAIN = re.compile(r"(?!null$)[\w/][\w./~-]*(:[\w./-]+)*")


def inventory(entries: Iterable[Mapping[str, Any]], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The ready inventory, changed: maps merge, `None` removes a key, anything else replaces."""
    head, *workers = entries
    ready = {
        "cluster": "lab",
        "image": TAG,
        "accelerator": "none",
        "ray": {"num_gpus": 8},
        "docker": {"shm_size": "1g", "pull": "never"},
        "head": head,
        "workers": workers,
    }
    return merged(ready, changes)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, change in changes.items():
        both = isinstance(change, Mapping) and isinstance(base.get(key), Mapping)
        result[key] = merged(base[key], change) if both else change
    return {key: value for key, value in result.items() if value is not None}


def as_yaml(data: Mapping[str, Any]) -> str:
    return "".join(f"{key}:{_block(value)}\n" for key, value in data.items())


def _block(value: Any) -> str:
    if isinstance(value, list) and value:
        return "".join(f"\n  - {_flow(item)}" for item in value)
    return f" {_flow(value)}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text if PLAIN.fullmatch(text) else json.dumps(text)
