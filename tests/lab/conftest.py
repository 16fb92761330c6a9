"""The lab as fixtures: one for the whole run, put in order for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import lifecycle
from .lab import Lab
from .processes import UnavailableError
from .seeing import brought_up, two_hosts

HOSTS = 3


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> lifecycle.Say:
    """Tells whoever waits, past pytest's capture, what takes so long."""
    terminal = request.config.get_terminal_writer()
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def saying(text: str) -> None:
        with capture.global_and_fixture_disabled():
            terminal.line(f"\nlab: {text}")

    return saying


@pytest.fixture(scope="session")
def standing_lab(say: lifecycle.Say) -> Iterator[Lab]:
    """A lab of three hosts. One that stands already is used, and left standing."""
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


@pytest.fixture(scope="module")
def lab_with_cluster(standing_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    yield (lab := standing_lab.at(tmp_path_factory.mktemp("cluster")))
    lab.restore()


@pytest.fixture
def cluster(lab_with_cluster: Lab) -> Iterator[Lab]:
    """The lab with a cluster on gpu1 and gpu2: brought up for a module's first test, and only repaired for others."""
    lab = lab_with_cluster
    brought_up(lab, two_hosts(lab))
    yield lab
    if not lab.is_whole:
        lab.restore()
