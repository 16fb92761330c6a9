"""JSON Schemas: of the inventory, for editors; of what `-o json` prints, for programs."""

from dataclasses import MISSING, fields
from itertools import chain
from typing import Any

from pydantic import TypeAdapter

from orchestrator.model import cluster
from orchestrator.model.inventory.fields import Schema, Section
from orchestrator.model.inventory.models import Docker, Host, HostRay, Image, Inventory, Ray, Serve, Ssh

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_RESOLVED: dict[
    type[Section], tuple[type, ...]
] = {  # where the defaults are; a host has those of its cluster
    Inventory: (cluster.Cluster, cluster.Node),
    Host: (),
    Ssh: (cluster.Ssh,),
    Docker: (cluster.Docker,),
    HostRay: (),
    Ray: (cluster.Ray,),
    Image: (cluster.Cluster,),
    Serve: (),
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
    sections = {kind.__name__: kind.definition(_defaults(*made)) for kind, made in _RESOLVED.items()}
    title = {"$schema": DIALECT, "title": "raycluster inventory"}
    return {**title, **sections.pop("Inventory"), **_ADDRESSLESS, "$defs": sections}


def _defaults(*resolved: Any) -> dict[str, object]:
    """What holds for a key that is not written; nothing for one that then depends on the host."""
    made = chain.from_iterable(map(fields, resolved))
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
    untitled = {key: value for key, value in part.items() if key != "title"}
    if "properties" not in part:
        return untitled
    keys = {
        key: {word: value for word, value in form.items() if word not in ("title", "default")}
        for key, form in part["properties"].items()
    }
    return untitled | {"properties": keys, "required": list(keys), "additionalProperties": False}
