"""`serve` in the inventory: one model or a list of them, and what is wrong with either."""

import pytest

from orchestrator.model.cluster import Cluster, Model
from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.parse import parse
from orchestrator.model.inventory.provenance import of_cluster
from orchestrator.model.inventory.resolve import resolve
from orchestrator.model.inventory.yaml_source import Source, from_text

TOP = """\
cluster: demo
image: vllm
head: {host: gpu1, ip: 10.0.0.1}
workers: [{host: "gpu[2-3]", ip: "10.0.0.[2-3]"}]
"""
ONE = "serve: {model: Qwen/Qwen3-32B, args: [--max-model-len, '4096'], pull: true}\n"
SEVERAL = """\
serve:
  - {model: Qwen/Qwen3-32B, gpus: 8, hosts: gpu1}
  - model: Qwen/Qwen3-8B
    name: small
    port: 9000
"""


def read(text: str) -> Source:
    source = from_text(TOP + text, "f")
    assert isinstance(source, Source)
    return source


def cluster(text: str) -> Cluster:
    inventory = parse(read(text))
    assert not isinstance(inventory, InventoryError), inventory.text()
    return resolve(inventory)


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ("", ()),
        (ONE, (Model("Qwen/Qwen3-32B", ("--max-model-len", "4096"), pull=True),)),
        (
            SEVERAL,
            (
                Model("Qwen/Qwen3-32B", gpus=8, hosts="gpu1"),
                Model("Qwen/Qwen3-8B", named="small", port=9000),
            ),
        ),
        ("serve: []\n", ()),
    ],
)
def test_it_is_a_model_or_a_list_of_models(text: str, models: tuple[Model, ...]) -> None:
    assert cluster(text).serve == models


def test_each_setting_is_shown_with_its_line() -> None:
    source = read(SEVERAL)
    inventory = parse(source)
    assert not isinstance(inventory, InventoryError)
    shown = {
        each.key: (each.value, each.origin.lines)
        for each in of_cluster(source, inventory, resolve(inventory))
    }
    assert shown["serve[0].gpus"] == (8, (6,))
    assert shown["serve[0].name"] == ("qwen3-32b", ())
    assert shown["serve[1].name"] == ("small", (8,))
    assert shown["serve[1].port"] == (9000, (9,))


SAME = """\
serve:
  - {model: org/One}
  - {model: other/one}
  - {model: org/Two, name: one}
"""
PORTS = "serve: [{model: a/b, port: 8000}, {model: c/d, port: 8000}]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            SAME,
            [
                'f:7:13: serve[1].model: its server would be called "one", as that of serve[0] is; give it a "name"',
                'f:8:28: serve[2].name: "one" is also the name of serve[0]',
            ],
        ),
        (PORTS, ["f:5:54: serve[1].port: 8000 is also the port of serve[0]"]),
        (
            "serve: {model: a/b, hosts: gpu4}\n",
            [
                'f:5:28: serve.hosts: no host matches "gpu4"; did you mean "gpu3"? the hosts are gpu1, gpu2, gpu3'
            ],
        ),
        (
            "serve: [{model: a/b, name: -x, gpus: 0}]\n",
            [
                'f:5:28: serve[0].name: should be letters, digits, ".", "_" and "-", starting with a letter or '
                'digit, not "-x"',
                'f:5:38: serve[0].gpus: should be a whole number of at least 1, not "0"',
            ],
        ),
        ("serve: [a/b]\n", ['f:5:9: serve[0]: should be a map such as {model: Qwen/Qwen3-32B}, not "a/b"']),
        ("serve: [{name: x}]\n", ['f:5:9: serve[0].model: required key "model" is missing']),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: list[str]) -> None:
    found = parse(read(text))
    assert isinstance(found, InventoryError)
    assert [str(each) for each in found.mistakes] == said
