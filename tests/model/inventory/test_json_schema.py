"""The inventory's JSON Schema and its loader: an editor never refuses what the loader takes."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from orchestrator.model.inventory.json_schema import of_answer, of_inventory
from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.parse import parse
from orchestrator.model.inventory.yaml_source import from_text
from tests.fuzz.inventories import STRUCTURED, edited
from tests.model.inventory import test_mistakes as known
from tests.model.inventory.test_example import EXAMPLE, models

VALID = Draft202012Validator(of_inventory())
UNSAYABLE = (  # what JSON Schema cannot say of a value, or an editor's YAML has hidden from it
    *("is not a complete IPv4 address", "cannot be in a container's name", "has brackets that hold no range"),
    "stands here without brackets",
    *("a registry that is not a", "image's name is lower case", "tag that no image can", "10.0.0.01"),
    *("an incomplete digest", "names an interface", "is an address in a network", "should be one line"),
    *(
        "which ends what a host tells of it",
        "cannot be sent",
        "is also in",
        "is not a secret",
        "duplicate key",
    ),
    *('"22.0"', '"0x16"', '"1e3"', "quotes that are never closed", "labels that start with"),
)
SAYABLE = [
    (text, expected)
    for text, expected in (*known.KEY_CASES, *known.VALUE_CASES, *known.ARGUMENT_CASES)
    if not any(part in expected for part in UNSAYABLE)
]


class Editor(yaml.SafeLoader):
    """YAML 1.2 as editors read it: `on` and `no` are text, `22` is a number."""


Editor.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("null", "~|null|Null|NULL|", "~nN"),
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", "[-+]?[0-9]+", "-+0123456789"),
    ("int:hex", "0x[0-9a-fA-F]+", "0"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("merge", "<<", "<"),
):
    Editor.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}",
        re.compile(f"^(?:{_pattern})$"),
        [*_first, *([""] if "~" in _first else [])],
    )
Editor.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
Editor.add_constructor("tag:yaml.org,2002:int:hex", lambda _, node: int(node.value, 16))
Editor.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))


def as_an_editor_reads(text: str) -> Any:
    return as_json(yaml.load(text, Editor))


def as_json(data: Any) -> Any:
    """With keys that are text, as JSON has them."""
    if isinstance(data, dict):
        return {str(key): as_json(value) for key, value in data.items()}
    return [as_json(each) for each in data] if isinstance(data, list) else data


def complaints(text: str) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALID.iter_errors(as_an_editor_reads(text))]


def accepted(text: str) -> bool:
    source = from_text(text, "f")
    return not isinstance(source, InventoryError) and not isinstance(parse(source), InventoryError)


def test_it_is_a_schema_of_its_dialect() -> None:
    Draft202012Validator.check_schema(of_inventory())


def test_the_example_is_good() -> None:
    assert complaints(EXAMPLE.read_text()) == []


@pytest.mark.parametrize(("text", "expected"), SAYABLE)
def test_what_is_wrong_with_a_key_or_a_value_an_editor_sees(text: str, expected: str) -> None:
    assert complaints(text), expected


@pytest.mark.parametrize(
    "line",
    [
        "ssh: {port: 22}",
        "ssh: {port: '22', connect_timeout: 1e1, user: 1000}",
        "ssh: {port: 0022, key: ~/.ssh/k, jump: 'me@a:22,[fd00::2]:22'}",
        "rdma: on",
        "docker: {restart: no, gpus: 4, shm_size: 536870912, args: [--ulimit, nofile=1, -p, 3.10, -e, true]}",
        "docker: {command: sudo -n docker, restart: on-failure:5, shm_size: 10.24 GB}",
        "env: {A: 22:22, B: on, C: 0755, D: 3.10, E: true, F: '', G: 2026-01-01}",
        "secrets: [HF_TOKEN]",
        "workers: [{host: 'gpu[02-03].example.com', ip: '10.0.0.[2-3]', name: 'n[8-9]'}]",
        "workers: [{host: 'fd00::2', ip: 'fd00::2', name: two}]",
        "workers: [{host: 'fd00::[2-3]', ip: 'fd00::[2-3]', name: 'n[2-3]'}]",
        "network: 10.0.0.0/255.255.255.0\nworkers: [{host: '10.9.0.[2-3]'}, {host: gpu4, ray: {num_gpus: 0}}]",
        "ray: {install: 'ray[default]==2.56.*', num_gpus: '8'}",
        "env:\nworkers:\nssh:\nrdma:\ndocker: {args: , pull: }",
    ],
)
def test_an_editor_lets_pass_what_is_good_in_any_spelling(line: str) -> None:
    text = known.LINE_4 + line
    assert accepted(text)
    assert complaints(text) == []


@pytest.mark.parametrize("name", ["1e3", "true", "007", "0x1f"])
def test_a_name_that_an_editor_takes_for_a_number_is_still_a_name(name: str) -> None:
    text = known.cluster(name)
    assert accepted(text)
    assert complaints(text) == []


@given(STRUCTURED | edited())
@settings(max_examples=300, deadline=None)
def test_an_editor_never_refuses_what_the_loader_takes(text: str) -> None:
    if accepted(text):
        assert complaints(text) == []


def test_a_host_needs_an_ip_unless_there_is_a_network() -> None:
    without = known.TOP + "head: {host: gpu1}\nworkers: [{host: gpu2}]\n"
    assert complaints(without) == [
        "$.head: 'ip' is a required property",
        "$.workers[0]: 'ip' is a required property",
    ]
    assert complaints(without + "network:") != []
    assert complaints(without + "network: 10.0.0.0/24") == []


@pytest.mark.parametrize("written", ["vllm:1", "{from: vllm:1}", "{from: vllm:1, get_on: head}"])
def test_an_editor_knows_both_forms_of_an_image(written: str) -> None:
    assert complaints(known.image(written)) == []
    assert complaints(known.image("{get_on: head}")) != []


def test_defaults_are_those_that_the_descriptions_tell() -> None:
    told = [
        (key["default"], key["description"])
        for part in (of_inventory(), *of_inventory()["$defs"].values())
        for key in part["properties"].values()
        if "default" in key
    ]
    assert len(told) > 10
    assert all(f"{default}".removesuffix(".0") in description for default, description in told)


def test_every_key_is_in_it_and_described() -> None:
    schema = of_inventory()
    parts = {"Inventory": schema, **schema["$defs"]}
    known_keys = {model.__name__: set(model.entries()) for model in models()}
    assert {name: set(part["properties"]) for name, part in parts.items()} == known_keys
    assert all(key["description"] for part in parts.values() for key in part["properties"].values())


@dataclass(frozen=True, slots=True)
class Began:
    host: str


@dataclass(frozen=True, slots=True)
class Ended:
    host: str
    seconds: float = 0.0


def test_a_union_of_answers_is_any_one_of_them_whole_and_with_its_version() -> None:
    schema = Draft202012Validator(of_answer(Began | Ended, "events", 1))
    assert schema.is_valid({"version": 1, "host": "gpu1"})
    assert schema.is_valid({"version": 1, "host": "gpu1", "seconds": 1.5})
    assert not schema.is_valid({"host": "gpu1"})
    assert not schema.is_valid({"version": 1, "host": "gpu1", "minutes": 1.5})
