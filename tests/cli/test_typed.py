"""What is printed to be typed works when it is typed, whichever inventory and hosts it is about."""

import json
from pathlib import Path

import pytest

from orchestrator.plan.typed import ours
from orchestrator.remote.transport import Failure, FailureKind
from tests.cli.conftest import INVENTORY, Raycluster, seen, sent
from tests.plan.recordings import ORDERLY, Said
from tests.remote.fakes import FakeFleet
from tests.typed_lines import assert_typeable


@pytest.fixture
def other(folder: Path) -> str:
    """A second inventory, in a place of its own: no command finds it unless told."""
    (folder / "my clusters").mkdir()
    (folder / "my clusters/ok.yaml").write_text(INVENTORY.replace("cluster: demo", "cluster: other"))
    return "my clusters/ok.yaml"


def test_a_line_without_the_inventory_that_was_given_is_found() -> None:
    """The collector, on itself."""
    with pytest.raises(AssertionError, match=r"lacks the inventory ok\.yaml: raycluster trust"):
        assert_typeable("its key is unknown\n      → raycluster trust\n", ("status", "ok.yaml"))
    with pytest.raises(AssertionError, match="does not take the line"):
        assert_typeable("then `raycluster status --nonsense x`", ("status",))
    with pytest.raises(AssertionError, match="a mark is left"):
        assert_typeable(f"→ {ours('up')}", ("status",))


@pytest.mark.parametrize("words", [("{}",), ("-i", "{}")], ids=["argument", "option"])
def test_both_ways_of_naming_an_inventory_come_back(
    hosts: FakeFleet, raycluster: Raycluster, other: str, words: tuple[str, ...]
) -> None:
    failure = Failure(FailureKind.HOST_KEY, "its host key is not known", fix=ours("trust"))
    hosts.on("gpu2", sent("observe"), failure)
    status = raycluster("status", *(word.format(other) for word in words))
    assert "→ raycluster trust -i 'my clusters/ok.yaml'\n" in status.stdout


def test_what_a_host_is_to_be_told_names_the_host(
    good: FakeFleet, raycluster: Raycluster, other: str
) -> None:
    missing = Said("hostname gpu2\nresolves_to 10.0.0.2\nmemory 527942656\npath /my hf\n")
    good.on("gpu2", sent("observe"), seen("10.0.0.2", **{**ORDERLY, "machine": missing}))
    check = raycluster("check", other)
    line = "raycluster exec -i 'my clusters/ok.yaml' -l gpu2 --on-host -- mkdir -p '/my hf'"
    assert f"→ {line}\n" in check.stdout
    fixes = [each["fix"] for each in json.loads(raycluster("check", other, "-o", "json").stdout)["findings"]]
    assert line in fixes
