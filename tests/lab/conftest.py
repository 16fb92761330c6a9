"""The lab as fixtures: one for the whole run, put in order for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import lifecycle
from .lab import Lab
from .processes import UnavailableError

HOSTS = 3


@pytest.fixture(scope="session")
def standing_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab of three hosts. One that stands already is used, and left standing."""
    terminal = request.config.get_terminal_writer()
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(text: str) -> None:
        with capture.global_and_fixture_disabled():
            terminal.line(f"\nlab: {text}")

    try:
        lab = lifecycle.up(HOSTS, say)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    lab.restore()
    yield lab
    if lab.is_new:
        lifecycle.down()


@pytest.fixture
def lab(standing_lab: Lab, tmp_path: Path) -> Iterator[Lab]:
    """The lab with all cables in, all services running, fresh homes and no containers."""
    lab = standing_lab.at(tmp_path)
    yield lab
    lab.restore()
