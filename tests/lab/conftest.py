"""The lab as fixtures: one for the whole run, put in order for each test."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.typed_lines import assert_typeable

from . import lifecycle
from .lab import Lab, listeners
from .processes import UnavailableError
from .seeing import stands, two_hosts

listeners.append(assert_typeable)
HOSTS = 3
SHARE_A_CLUSTER = (
    "/test_acting.py",
    "/test_dashboard.py",
    "/test_exec.py",
    "/test_faults_standing.py",
    "/test_logs.py",
    "/test_mp.py",
    "/test_serve.py",
    "/test_standing.py",
    "/test_watch.py",
    "/test_without_ray.py",
)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """What shares a cluster runs in one lab, one after another; all else wherever there is time.

    The largest groups begin. What needs no lab is two of them, so that only one worker waits for the lab's image.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if not file.startswith("tests/lab/"):
            return file.rpartition("/")[0]
        return file if file.endswith(SHARE_A_CLUSTER) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    # Not `--dist loadgroup`: under pytest 9.2, pytest-xdist 3.8 does not see the groups.
    return Scheduling(config, log)


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
