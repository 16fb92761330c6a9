"""`inventory.example.yaml` is the reference of the format: it is right, and it is complete."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

from orchestrator.model.inventory.fields import Section
from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.models import Host, HostRay, Inventory, Ray
from orchestrator.model.inventory.parse import load, parse
from orchestrator.model.inventory.yaml_source import Source, from_text, read

EXAMPLE = Path(__file__).parents[3] / "inventory.example.yaml"


def models(annotation: object = Inventory) -> Iterator[type[Section]]:
    """Every model in the schema."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
        for hint in get_type_hints(annotation).values():
            yield from models(hint)
    for part in get_args(annotation):
        yield from models(part)


def written(model: object) -> Iterator[tuple[type[Section], str]]:
    """Every key that the example has, with the model it belongs to."""
    for part in model if isinstance(model, tuple) else (model,):
        if isinstance(part, Section):
            for key, value in part.given().items():
                yield type(part), key.rstrip("_")
                yield from written(value)


def test_the_example_is_an_inventory() -> None:
    found = load(str(EXAMPLE))
    assert not isinstance(found, InventoryError), found.text()


def test_the_example_has_every_key() -> None:
    source = read(str(EXAMPLE))
    assert isinstance(source, Source)
    known = {(model, key) for model in models() for key in model.entries()}
    assert known - set(written(parse(source))) == set()


def test_the_models_are_found() -> None:
    assert {Inventory, Host, HostRay, Ray} < set(models())


def test_every_key_is_described() -> None:
    entries = [entry for model in models() for entry in model.entries().values()]
    assert all(entry.description and entry.description.endswith(".") for entry in entries)


def test_the_example_says_how_to_run_on_a_host_itself() -> None:
    text = EXAMPLE.read_text()
    assert "`host: local`" in text
    here = from_text(text.replace("host: gpu1.example.com", "host: local"), "f")
    assert isinstance(here, Source)
    assert isinstance(parse(here), Inventory)
