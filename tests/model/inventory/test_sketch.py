"""What completion reads of an inventory is what the reader of YAML finds in it, or nothing."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model.inventory.example import example
from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.parse import parse
from orchestrator.model.inventory.resolve import resolve
from orchestrator.model.inventory.sketch import Sketch, sketch
from orchestrator.model.inventory.yaml_source import Source, from_text
from tests.model.inventory.test_workers_text import DASHES_APART, FORMS, NONE, TOP
from tests.test_architecture import ROOT


def read(text: str) -> Sketch:
    source = from_text(text, "file")
    assert isinstance(source, Source), source.text()
    inventory = parse(source)
    assert not isinstance(inventory, InventoryError), inventory.text()
    cluster = resolve(inventory)
    models = tuple(model.name for model in cluster.serve)
    return Sketch(cluster.head.name, tuple(node.name for node in cluster.workers), models)


UNREAD = [form for form in FORMS if "*" in form or form == DASHES_APART]
SERVED = """\
cluster: demo
image: x
serve:
  model: Qwen/Qwen3-32B  # ours
  args: [--max-model-len, "4096"]
head:
  host: gpu1.example.com
  name: gpu1
  ip: 10.0.0.1
  env:
    name: not-this
    host: nor-this
workers:
  - host: gpu2.example.com
    ip: 10.0.0.2
    name: gpu2
    ssh: {user: ben, port: 22}
    env:
      name: no
  - {ip: 10.0.0.3, ssh: {user: ben}, host: gpu3.example.com, env: {name: x}, name: 'gpu3'}
"""


SEVERAL = """\
serve:
  - model: Qwen/Qwen3-32B
    args: [--max-model-len, "4096"]
    hosts: gpu1
  - {model: Qwen/Qwen3-8B, port: 8001}
"""
LISTED = SERVED.replace(SERVED[SERVED.index("serve:") : SERVED.index("head:")], SEVERAL)


@pytest.mark.parametrize(
    "text", [NONE, *(TOP + form for form in FORMS if form not in UNREAD), SERVED, LISTED]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_forms_that_people_write_are_read_as_yaml_has_them(text: str, newline: str) -> None:
    text = text.replace("env: &env", "env:").replace("\n", newline)
    assert sketch(text) == read(text)


@pytest.mark.parametrize(
    "file", [*sorted((ROOT / "docs/examples").glob("*.yaml"))], ids=lambda file: file.name
)
def test_so_are_the_examples(file: Path) -> None:
    assert sketch(file.read_text()) in (None, read(file.read_text()))


def test_what_takes_a_reader_of_yaml_is_left_to_it() -> None:
    assert sketch(example()) in (None, read(example()))
    for form in UNREAD:
        assert sketch(TOP + form) is None


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("{}[],:-# \n\"'&*ahostnmewrk0"), max_size=200))
def test_nothing_is_too_broken_for_it(text: str) -> None:
    sketch(text)
    sketch(TOP + "workers:\n" + text)
