"""What a fleet sees to before it opens the first connection."""

import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from orchestrator.model.cluster import Node
from orchestrator.plan.command import Command
from orchestrator.remote.fleet import DESCRIPTORS, Fleet
from orchestrator.remote.transport import Output, Transport
from tests.plan.worlds import cluster
from tests.remote.fakes import SOON, FakeFleet, FakeHost

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
    fake, gives_up, ran = FakeFleet(), Event(), Event()
    fake.on("*", "date", Output(0))

    class Silent(FakeHost):
        def open(self, *, cancel: Event) -> None:
            assert not cancel.is_set()
            assert gives_up.wait(SOON)

    def transport(node: Node, _: Fleet) -> Transport:
        return Silent(node.name, fake) if node.name == "gpu1" else fake[node.name]

    def date(host: str) -> object:
        return fleet[host].run(Command(("date",)), timeout=SOON, cancel=Event())

    with Fleet(cluster(workers=1), transport, jobs=1) as fleet, ThreadPoolExecutor() as pool:
        silent = pool.submit(date, "gpu1")
        pool.submit(date, "gpu2").add_done_callback(lambda _: ran.set())
        assert ran.wait(SOON)
        assert not silent.done()
        gives_up.set()
        assert silent.result(SOON) == Output(0)
