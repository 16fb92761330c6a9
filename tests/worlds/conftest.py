"""The lab, its hosts of another kind."""

from collections.abc import Callable

import pytest

from tests.lab import lifecycle, worlds
from tests.lab.conftest import lab, say, standing_lab
from tests.lab.lab import Lab
from tests.lab.processes import UnavailableError
from tests.lab.worlds import World

__all__ = ["lab", "say", "standing_lab"]

Enter = Callable[[World], None]


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
def world(request: pytest.FixtureRequest, enter: Enter) -> World:
    """Entered; a test names it, or several, by `pytest.mark.parametrize(..., indirect=True)`."""
    chosen: World = request.param
    enter(chosen)
    return chosen
