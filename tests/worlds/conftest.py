"""The lab, its hosts of another kind."""

from collections.abc import Callable, Generator, Iterator

import pytest

from tests.lab import lifecycle, worlds
from tests.lab.conftest import lab, say, standing_lab
from tests.lab.lab import Lab
from tests.lab.processes import UnavailableError
from tests.lab.worlds import World

from . import record

__all__ = ["lab", "say", "standing_lab"]

Enter = Callable[[World], None]
PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Lets fixtures know, as they end, whether the test itself has passed."""
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture
def enter(lab: Lab, say: lifecycle.Say) -> Enter:
    """Makes the hosts those of a world, for one test."""

    def entering(world: World) -> None:
        try:
            worlds.prepare(lab, world, say)
        except UnavailableError as reason:
            pytest.skip(str(reason))
        worlds.enter(lab, world)

    return entering


@pytest.fixture
def world(request: pytest.FixtureRequest, enter: Enter, lab: Lab) -> Iterator[World]:
    """Entered; a test names it, or several, by `pytest.mark.parametrize(..., indirect=True)`.

    That the test has passed in it is recorded, where it is wanted.
    """
    chosen: World = request.param
    enter(chosen)
    yield chosen
    if record.IS_WANTED and request.node.stash.get(PASSED, False):
        record.keep(lab, chosen, request.node.originalname)
