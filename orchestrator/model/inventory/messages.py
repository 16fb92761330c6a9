"""What the models find, in words for the person who wrote the file."""

import shlex
from collections.abc import Iterable, Mapping
from typing import get_args

from orchestrator.model.inventory.mistakes import Fault, Path, did_you_mean, quoted
from orchestrator.model.inventory.schema_models import Error, Host, Inventory
from orchestrator.model.inventory.sections import HostRay, Ray, Written
from orchestrator.model.inventory.values import kind


def described(errors: list[Error]) -> list[Fault]:
    """A fault for each error; a required key that is only mistyped is not called missing, too."""
    unknown: dict[Path, list[str]] = {}
    for path in (error["loc"] for error in errors if error["type"] == "extra_forbidden"):
        unknown.setdefault(path[:-1], []).append(str(path[-1]))
    return [
        _fault(error) for error in errors if error["type"] != "missing" or not _is_near(error["loc"], unknown)
    ]


def _is_near(path: Path, unknown: dict[Path, list[str]]) -> bool:
    return any(did_you_mean(key, [str(path[-1])]) for key in unknown.get(path[:-1], ()))


def _fault(error: Error) -> Fault:
    path, written = error["loc"], error["input"]
    match error["type"]:
        case "extra_forbidden":
            return Fault(path, _unknown_key(path), at_key=True)
        case "missing":
            return Fault(path, f"required key {quoted(str(path[-1]))} is missing", at_key=True)
        case "tuple_type":
            return Fault(path, _no_list(written))
        case "value_error" if path[-1] == "[key]":
            return Fault(path[:-1], str(error["ctx"]["error"]), at_key=True)
        case "value_error":
            return Fault(path, str(error["ctx"]["error"]))
        case _:  # what remains is a map that is none
            model = _model(path)
            return Fault(path, _no_map(model.example if model else "", written))


def _unknown_key(path: Path) -> str:
    model = _model(path[:-1]) or Inventory
    known = (field.alias or name for name, field in model.model_fields.items())
    return _describe_unknown(str(path[-1]), known, _homes(model))


def _homes(model: type[Written]) -> dict[str, str]:
    """Where the keys belong that are none of this model's but exist elsewhere."""
    if model is HostRay:
        return dict.fromkeys(
            Ray.model_fields, 'holds for the whole cluster; write it under the top-level "ray"'
        )
    if model is Host:
        top = "holds for the whole cluster; write it at the top level"
        return _sections(model) | dict.fromkeys(Inventory.model_fields, top)
    if model is Inventory:
        host = 'belongs to a host; write it under "head" or in "workers"'
        return _sections(model) | dict.fromkeys(Host.model_fields, host) | {"build_on": 'goes under "image"'}
    return {}


def _sections(model: type[Written]) -> dict[str, str]:
    """For each key of `ssh`, `docker` and `ray`, which of them have it."""
    homes: dict[str, str] = {}
    for section in ("ssh", "docker", "ray"):
        inner = _model_of(model.model_fields[section].annotation)
        for key in inner.model_fields if inner else ():
            homes[key] = (
                f"{homes[key]} or {quoted(section)}" if key in homes else f"goes under {quoted(section)}"
            )
    return homes


def _model(path: Path) -> type[Written] | None:
    """The model of the map at a path."""
    model: type[Written] | None = Inventory
    for key in path:
        if isinstance(key, str) and model:
            field = model.model_fields.get(key)
            model = _model_of(field.annotation) if field else None
    return model


def _model_of(annotation: object) -> type[Written] | None:
    """The model in `Docker | None` or `tuple[Host, ...]`, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, Written):
        return annotation
    return next(filter(None, map(_model_of, get_args(annotation))), None)


def _describe_unknown(key: str, known: Iterable[str], homes: Mapping[str, str]) -> str:
    """`homes` says of keys that exist elsewhere where that is."""
    if home := homes.get(key):
        return f"{quoted(key)} {home}"
    known = tuple(known)
    hint = did_you_mean(key, known) or f"; the keys here are {', '.join(known)}"
    return f"unknown key {quoted(key)}{hint}"


def _no_map(example: str, written: object) -> str:
    return f"should be a map{f' such as {example}' if example else ''}, not {kind(written)}"


def _no_list(written: object) -> str:
    if isinstance(written, dict):
        return 'should be a list, not a map; start each item with "- "'
    return f"should be a list{_as_list(written)}, not {kind(written)}"


def _as_list(written: object) -> str:
    """How to write a text as the list it was meant to be."""
    try:
        words = shlex.split(written) if isinstance(written, str) else []
    except ValueError:
        return ""
    return f" such as [{', '.join(map(quoted, words))}]" if 0 < len(words) <= 4 else ""  # noqa: PLR2004
