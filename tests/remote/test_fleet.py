"""What a fleet sees to before it opens the first connection."""

import resource
from collections.abc import Iterator

import pytest

from orchestrator.remote.fleet import DESCRIPTORS, Fleet
from tests.plan.worlds import cluster
from tests.remote.fakes import FakeFleet

OPEN_FILES = resource.RLIMIT_NOFILE


@pytest.fixture
def few() -> Iterator[None]:
    """As on a Mac."""
    before = resource.getrlimit(OPEN_FILES)
    resource.setrlimit(OPEN_FILES, (256, before[1]))
    yield
    resource.setrlimit(OPEN_FILES, before)


@pytest.mark.usefixtures("few")
def test_there_are_file_descriptors_enough_for_hundreds_of_hosts() -> None:
    fake = FakeFleet()
    Fleet(cluster(workers=1), lambda node: fake[node.name], jobs=2)
    now, most = resource.getrlimit(OPEN_FILES)
    assert now == min(DESCRIPTORS, most)
