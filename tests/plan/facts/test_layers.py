"""Which layers a host has, and how many of an image's lowest ones are among them."""

import pytest

from orchestrator.plan.facts.layers import parse_stacks, shared

CLASSIC = """\x1e
sha256:aa overlay2 ["sha256:1","sha256:2"]
sha256:bb overlay2 null
sha256:cc overlay2 ["sha256:1"]
"""


def test_every_image_of_the_older_store_has_its_layers() -> None:
    assert parse_stacks(CLASSIC) == (("sha256:1", "sha256:2"), (), ("sha256:1",))


@pytest.mark.parametrize(
    "told",
    [
        'sha256:aa overlayfs ["sha256:1"]\n',  # containerd's store
        'aa overlay ["sha256:1"]\n',  # Podman
        'aa vfs ["sha256:1"]\n',
        "sha256:aa overlay2 what\n",
        "Error: template: no such field\n",
    ],
)
def test_a_store_that_wants_every_layer_or_does_not_tell_has_none(told: str) -> None:
    assert parse_stacks(f"\x1e{told}") == ()


def test_only_the_lowest_layers_in_the_same_order_are_shared() -> None:
    stacks = (("1", "2"), ("2", "3"), ("1", "2", "9", "4"))
    assert shared(("1", "2", "3", "4"), stacks) == 2
    assert shared(("2", "1"), stacks) == 1
    assert shared(("8",), stacks) == 0
    assert shared(("1",), ()) == 0
