"""docs/configuration.md is whole and up to date, and its examples are inventories."""

import re

import pytest
import yaml

from orchestrator.model.inventory.models import Inventory
from orchestrator.model.inventory.parse import parse
from orchestrator.model.inventory.yaml_source import Source, from_text

from .configuration import DEFAULTS, PAGE, SECTIONS, flow, page, written
from .pages import README

SAMPLES = [
    sample
    for text in (README.read_text(), PAGE.read_text())
    for sample in re.findall(r"(?ms)^```yaml\n(.*?)^```$", text)
]


def test_the_keys_are_those_of_the_schema_with_their_defaults_and_the_example() -> None:
    assert PAGE.read_text() == page(), "write it anew: make docs"


@pytest.mark.parametrize("name", SECTIONS)
def test_an_example_on_one_line_says_what_the_file_says(name: str) -> None:
    for key, value in written(name):
        assert yaml.load(f"{key}: {flow(value)}", yaml.BaseLoader) == {key: value}


def test_the_defaults_that_are_no_value_are_of_keys_that_exist() -> None:
    known = {(name, key) for name in SECTIONS for key, _ in written(name)}
    assert set(DEFAULTS) <= known


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda text: text.split("\n")[0])
def test_a_sample_is_an_inventory(sample: str) -> None:
    source = from_text(sample, "sample")
    assert isinstance(source, Source)
    assert isinstance(parse(source), Inventory)
