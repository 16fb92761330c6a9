"""Whatever a file holds, the answer is a cluster or mistakes with positions: never an exception."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model.cluster import Cluster
from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.parse import parse
from orchestrator.model.inventory.ranges import count, expand
from orchestrator.model.inventory.resolve import resolve
from orchestrator.model.inventory.yaml_source import from_text

EXAMPLE = (Path(__file__).parents[3] / "inventory.example.yaml").read_text()
LINES = EXAMPLE.splitlines(keepends=True)
TOKENS = st.sampled_from(
    [
        *":-{}[]&*!|>'\"%@`#?,~\t\n0",
        "<<",
        "---",
        "...",
        "&a",
        "*a",
        "!!int",
        "[1-9]",
        "[9-1]",
        "99999",
        "on",
        "null",
        "\n  ",
    ]
)


def understood(text: str) -> Cluster | InventoryError:
    source = from_text(text, "f")
    inventory = source if isinstance(source, InventoryError) else parse(source)
    return inventory if isinstance(inventory, InventoryError) else resolve(inventory)


def check(text: str) -> None:
    found = understood(text)
    if isinstance(found, InventoryError):
        assert found.mistakes
        assert all(c.isprintable() or c in "\t\n" for c in found.text())
        assert all(mistake.position.line >= 1 and mistake.position.column >= 1 for mistake in found.mistakes)
        found.text().encode()


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text(text: str) -> None:
    check(text)


@given(st.lists(TOKENS | st.text(max_size=5), max_size=30).map(" ".join))
@settings(max_examples=200, deadline=None)
def test_any_string_of_yaml_tokens(text: str) -> None:
    check(text)


@given(st.integers(0, len(EXAMPLE)), st.integers(0, 20), TOKENS | st.text(max_size=5))
@settings(max_examples=60, deadline=None)
def test_the_example_with_something_in_it_replaced(start: int, length: int, token: str) -> None:
    check(EXAMPLE[:start] + token + EXAMPLE[start + length :])


@given(st.lists(st.integers(0, len(LINES) - 1), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_the_example_with_its_lines_shuffled(order: list[int]) -> None:
    check("".join(LINES[i] for i in order))


KEYS = [
    "cluster",
    "image",
    "head",
    "workers",
    "network",
    "secrets",
    "env",
    "ssh",
    "docker",
    "ray",
    "host",
    "ip",
]
KEYS += ["name", "args", "port", "gpus", "pull", "rdma", "x"]
SCALARS = st.sampled_from(
    ["gpu1", "gpu[1-3]", "10.0.0.[1-3]", "10.0.0.1", "~", "-d", "--head", "VLLM_HOST_IP", "''"]
)
DATA = st.recursive(
    SCALARS | st.text("abc[]-:19", max_size=6).map(repr),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"
        )
    ),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(KEYS), DATA, max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_data_under_the_known_keys(data: dict[str, str]) -> None:
    check("".join(f"{key}: {value}\n" for key, value in data.items()))


@given(st.integers(0, 2000), st.integers(0, 900), st.integers(0, 6))
@settings(deadline=None)
def test_a_range_stands_for_as_many_as_it_counts_each_different(first: int, more: int, width: int) -> None:
    written = f"gpu[{first:0{width}}-{first + more}].example.com"
    assert len(set(expand(written))) == count(written) == more + 1
