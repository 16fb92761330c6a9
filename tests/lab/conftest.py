"""The lab as fixtures: one for the whole run, put in order for each test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import lifecycle
from .lab import Lab
from .processes import UnavailableError
from .seeing import stands, two_hosts

HOSTS = 3


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads these marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares a cluster runs in one lab, one after another; all else wherever there is time."""
    for item in items:
        if {"lab_with_cluster", "lab_with_packages"}.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> lifecycle.Say:
    """Tells whoever waits, past pytest's capture, what takes so long."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def saying(text: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\nlab: {text}\n")  # pytest-xdist's workers have no other way to the terminal

    return saying


@pytest.fixture(scope="session")
def standing_lab(say: lifecycle.Say) -> Iterator[Lab]:
    """A lab of three hosts, one for each worker of pytest-xdist. One that stands already is used, and left standing."""
    try:
        with lifecycle.lent(HOSTS, say) as lab:
            lab.restore()
            yield lab
    except UnavailableError as reason:
        pytest.skip(str(reason))


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
    """The lab with a cluster on gpu1 and gpu2: brought up for a module's first test, then if it is not whole."""
    lab = lab_with_cluster
    stands(lab, two_hosts(lab))
    yield lab
    lab.end_commands()
    lab.mend()
