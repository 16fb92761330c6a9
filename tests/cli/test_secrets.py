"""Secrets come from the laptop's environment: which values can go on from there, and which are refused."""

from pathlib import Path

import pytest

from orchestrator.cli.run.inventory_file import LONGEST_SECRET
from tests.cli.conftest import INVENTORY, Raycluster, sent
from tests.remote.fakes import FakeFleet

LONGEST = "x" * (LONGEST_SECRET - len("S3CRET="))


@pytest.fixture
def secretive(folder: Path) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + "secrets: [S3CRET]\n")


@pytest.mark.usefixtures("secretive")
@pytest.mark.parametrize(
    ("value", "why"),
    [
        *(
            (value, "S3CRET holds a line break")
            for value in ("a\nb", "a\n", "a\r", "a\rb", "a\vb", "a\x85b", "a\u2028b")
        ),
        ("a\udcffb", "S3CRET is not UTF-8"),
        (f"{LONGEST}x", "S3CRET has 65,536 bytes, more than 65,535"),
    ],
)
def test_a_value_that_docker_would_not_pass_on_is_refused_before_anything_happens(
    value: str, why: str, hosts: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3CRET", value)
    up = raycluster("up")
    assert (up.exit_code, hosts.sent) == (2, [])
    assert up.stderr == f"secrets: {why}, which Docker cannot pass on\n"


@pytest.mark.usefixtures("secretive")
@pytest.mark.parametrize(
    "value", [" a ", "#a", "a=b=", "'\"`", "$HOME $(id)", "\\", "\ta\t", "é日\U0001f680", LONGEST]
)
def test_any_other_value_goes_on_as_it_is(
    value: str, hosts: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3CRET", value)
    assert raycluster("up").exit_code == 0
    given = [each.command.input() for each in hosts.sent if sent("run")(each.command)]
    assert given == [f"S3CRET={value}\n".encode()] * 2
