"""What a fleet sees to before it opens the first connection."""

import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from orchestrator.model.cluster import Node
from orchestrator.plan.command import Command
from orchestrator.remote.fleet import DESCRIPTORS, Fleet
from orchestrator.remote.local.transport import LocalTransport
from orchestrator.remote.transport import Failure, Output, Transport
from tests.plan.worlds import cluster
from tests.remote.fakes import SOON, FakeFleet

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
    Fleet(cluster(workers=1), lambda node, _: fake[node.name], jobs=2)
    now, most = resource.getrlimit(OPEN_FILES)
    assert now == min(DESCRIPTORS, most)


def test_a_host_that_does_not_answer_takes_nobodys_place() -> None:
    gives_up, ran = Event(), Event()

    class Silent(LocalTransport):
        def open(self, *, cancel: Event) -> Failure | None:  # type: ignore[override]
            assert not cancel.is_set()
            assert gives_up.wait(SOON)
            return None

    def transport(node: Node, fleet: Fleet) -> Transport:
        return (Silent if node.name == "gpu1" else LocalTransport)(fleet.timeouts, fleet.places)

    def true(host: str) -> object:
        return fleet[host].run(Command(("true",)), timeout=SOON, cancel=Event())

    with Fleet(cluster(workers=1), transport, jobs=1) as fleet, ThreadPoolExecutor() as pool:
        silent = pool.submit(true, "gpu1")
        pool.submit(true, "gpu2").add_done_callback(lambda _: ran.set())
        assert ran.wait(SOON)
        assert not silent.done()
        gives_up.set()
        assert silent.result(SOON) == Output(0)


def test_no_more_commands_run_at_once_than_there_are_jobs(tmp_path: Path) -> None:
    """Each makes a folder that only one at a time can have."""
    alone = f"mkdir {tmp_path}/alone && rmdir {tmp_path}/alone"

    def transport(_node: Node, fleet: Fleet) -> Transport:
        return LocalTransport(fleet.timeouts, fleet.places)

    def run(host: str) -> object:
        return fleet[host].run(Command(("sh", "-c", alone)), timeout=SOON, cancel=Event())

    with Fleet(cluster(workers=1), transport, jobs=1) as fleet, ThreadPoolExecutor() as pool:
        assert set(pool.map(run, ["gpu1", "gpu2"] * 10)) == {Output(0)}
