"""libyaml may read an inventory only where it reads the same as PyYAML, whose words a user gets."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model import fast
from orchestrator.model.source import from_text
from tests.test_architecture import ROOT

PIECES = st.sampled_from(
    [
        *"{}[],:#-@`~!?|>%&*\\\t\r\n '\"ab1\x7f\xe4\x85",
        *(
            "b: ",
            "- ",
            ": ",
            ", ",
            "\n  ",
            "\n    ",
            "\n- ",
            " #",
            "&x ",
            "*x",
            "<<: ",
            "null",
            "---",
            "...",
            "e: f\n",
        ),
        *('"a\n b"', "\\n", "\\x41", "host: g1\n", "x y", "!!str ", "|-\n", "? ", "%YAML 1.1\n", "\r\n"),
    ]
)
EXAMPLE = (ROOT / "inventory.example.yaml").read_text()


def read(text: str, monkeypatch: pytest.MonkeyPatch, *, quickly: bool) -> Any:
    with monkeypatch.context() as only:
        if not quickly:
            only.setattr(yaml, "__with_libyaml__", False)
        return from_text(text, "x.yaml")


@pytest.fixture(scope="module")
def patch() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@given(text=st.lists(PIECES, max_size=16).map("".join))
@settings(max_examples=600, deadline=None)
def test_what_is_read_does_not_depend_on_who_reads(text: str, patch: pytest.MonkeyPatch) -> None:
    assert read(text, patch, quickly=True) == read(text, patch, quickly=False)


@given(data=st.data(), new=PIECES)
@settings(max_examples=100, deadline=None)
def test_nor_of_an_inventory_with_a_slip_of_the_pen(
    data: st.DataObject, new: str, patch: pytest.MonkeyPatch
) -> None:
    at = data.draw(st.integers(0, len(EXAMPLE)))
    text = EXAMPLE[:at] + new + EXAMPLE[at + data.draw(st.integers(0, 3)) :]
    assert read(text, patch, quickly=True) == read(text, patch, quickly=False)


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="this PyYAML has no libyaml")
@pytest.mark.parametrize(("most", "read"), [(3, True), (2, False)])
def test_what_has_too_many_values_is_left_to_the_one_that_says_where(most: int, read: bool) -> None:
    assert (fast.composed("a: b", {}, most) is not None) == read
