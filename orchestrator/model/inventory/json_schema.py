"""JSON Schemas: of the inventory, for editors; of what `-o json` prints, for programs."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from pydantic import TypeAdapter

from orchestrator.model import cluster
from orchestrator.model.cluster import Node
from orchestrator.model.inventory import schema_models

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_RESOLVED = {  # where the defaults are; a host has those of its cluster
    "Ssh": (cluster.Ssh,),
    "Docker": (cluster.Docker,),
    "Ray": (cluster.Ray,),
    "Image": (cluster.Cluster,),
    "Inventory": (cluster.Cluster, Node),
}
_ADDRESSLESS: Schema = {
    "if": {"properties": {"network": {"type": "null"}}},
    "then": {
        "properties": {
            "head": {"required": ["ip"]},
            "workers": {"items": {"required": ["ip"]}},
        }
    },
}
"""Without `network` (a key that is not there is as good as an empty one), each host needs its `ip`."""


def of_inventory() -> Schema:
    """What an editor needs to complete and check `inventory.yaml`.

    It never refuses what the loader takes. What JSON Schema cannot say, such as two hosts with one address,
    it lets pass.
    """
    made = schema_models.Inventory.model_json_schema()
    parts = made.pop("$defs")
    kinds = {name: part for name, part in parts.items() if "enum" in part}
    maps = {name: _map(name, part, kinds) for name, part in parts.items() if name not in kinds}
    title = {"$schema": DIALECT, "title": "raycluster inventory"}
    return title | _map("Inventory", made, kinds) | _ADDRESSLESS | {"$defs": maps}


def _map(name: str, part: Schema, kinds: Mapping[str, Schema]) -> Schema:
    defaults = _defaults(name)
    keys = {
        key: _key(form, kinds) | ({"default": defaults[key]} if key in defaults else {})
        for key, form in part["properties"].items()
    }
    return {key: value for key, value in part.items() if key != "title"} | {"properties": keys}


def _key(form: Schema, kinds: Mapping[str, Schema]) -> Schema:
    """A key's form: what it may hold, or nothing, where it may be left out."""
    told = {key: value for key, value in form.items() if key not in ("anyOf", "default", "title")}
    options = [_inlined(option, kinds) for option in form.get("anyOf", ())]
    match options:
        case [{"patternProperties": known}, {"type": "null"}]:
            return told | {
                "type": ["object", "null"],
                "patternProperties": known,
                "additionalProperties": False,
            }
        case [{"type": kind, **rest}, {"type": "null"}]:
            return told | rest | {"type": [*(kind if isinstance(kind, list) else [kind]), "null"]}
        case [{"enum": words}, {"type": "null"}]:
            return told | {"enum": [*words, None]}
        case [{"anyOf": several}, {"type": "null"}]:
            return told | {"anyOf": [*several, {"type": "null"}]}
        case []:
            return told
        case _:
            return told | {"anyOf": options}


def _inlined(option: Schema, kinds: Mapping[str, Schema]) -> Schema:
    """A choice of words stands where it is made, so that an editor shows it there."""
    kind = kinds.get(str(option.get("$ref")).rpartition("/")[2])
    return {"enum": kind["enum"]} if kind else option


def _defaults(name: str) -> dict[str, object]:
    """What holds for a key that is not written; nothing for one that then depends on the host."""
    made = [field for resolved in _RESOLVED.get(name, ()) for field in fields(resolved)]
    known = {each.name: each.default for each in made if each.default not in (MISSING, None, (), "")}
    return {
        key: " ".join(value) if isinstance(value, tuple) else value
        for key, value in known.items()
        if isinstance(value, str | int | float | tuple)
    }


def of_answer(kind: Any, title: str, version: int) -> Schema:
    """What a value of the type is as JSON, with its version: every key is there, and no other.

    A union of types stands for any one of them, each with the version.
    """
    made = TypeAdapter(kind).json_schema(mode="serialization")
    parts = made.pop("$defs", {})
    for each in [parts[option["$ref"].rpartition("/")[2]] for option in made.get("anyOf", ())] or [made]:
        each["properties"] = {"version": {"const": version}} | each["properties"]
    exact = {name: _exact(part) for name, part in parts.items()}
    return {"$schema": DIALECT, "title": title} | _exact(made) | ({"$defs": exact} if exact else {})


def _exact(part: Schema) -> Schema:
    told = {key: value for key, value in part.items() if key != "title"}
    if "properties" not in part:
        return told
    keys = {
        key: {word: value for word, value in form.items() if word not in ("title", "default")}
        for key, form in part["properties"].items()
    }
    return told | {"properties": keys, "required": list(keys), "additionalProperties": False}
