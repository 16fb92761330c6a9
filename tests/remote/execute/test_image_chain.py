"""An image from host to host, by a Docker that is a file: each host has a folder, and a relay as it would be begun."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

import pytest

from orchestrator.model.cluster import Docker, Node
from orchestrator.plan.actions.images import copy
from orchestrator.plan.steps import Plan
from orchestrator.remote.execute.events import Happening, Noted, Report, StepAdvanced
from orchestrator.remote.execute.runner import execute
from orchestrator.remote.local.transport import LocalTransport
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from tests.plan.worlds import cluster

MB = 1 << 20
SIZE = 20 * MB
DOCKER = """#!/bin/sh
cd "$(dirname "$0")" || exit
case $1 in
    save) [ -e image ] || { echo "Error response from daemon: reference does not exist" >&2; exit 1; }; cat image ;;
    load) cat >part && [ "$(wc -c <part)" = 20971520 ] && mv part image && echo "Loaded image: $(cat as)" ;;
    tag) echo "$2 $3" >tags ;;
esac
"""


@dataclass
class Hosts:
    timeouts: Timeouts = DEFAULT
    asked: list[str] = field(default_factory=list)

    def __getitem__(self, host: str) -> LocalTransport:
        return LocalTransport()

    def at_work(self) -> AbstractContextManager[object]:
        return nullcontext()


@pytest.fixture
def nodes(tmp_path: Path) -> tuple[Node, ...]:
    """Four hosts on loopback. The first has the image."""

    def made(node: Node) -> Node:
        folder = tmp_path / node.name
        folder.mkdir()
        (folder / "as").write_text("x:1\n")
        docker = folder / "docker"
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        return replace(node, ip="127.0.0.1", docker=Docker(command=(str(docker),)))

    nodes = tuple(map(made, cluster(3).nodes))
    (tmp_path / "gpu1/image").write_bytes(hashlib.sha256(b"image").digest() * (SIZE // 32))
    return nodes


def carry_out(nodes: tuple[Node, ...], tell: Callable[[Happening], None] = lambda _: None) -> Report:
    phase = copy("x:1", nodes[0], nodes[1:], SIZE)
    return execute(Plan("copy", (phase,)), Hosts(), tell, Event())


def test_every_host_loads_what_the_first_has_saved(nodes: tuple[Node, ...], tmp_path: Path) -> None:
    told: list[Happening] = []
    report = carry_out(nodes, told.append)
    assert report.ok
    wanted = (tmp_path / "gpu1/image").read_bytes()
    assert all((tmp_path / node.name / "image").read_bytes() == wanted for node in nodes)
    assert {each.step.host for each in told if isinstance(each, StepAdvanced) if each.far.done == SIZE} == {
        node.name for node in nodes[1:]
    }
    assert not [each for each in told if isinstance(each, Noted)]


def test_an_image_that_podman_saved_gets_its_name_without_localhost(
    nodes: tuple[Node, ...], tmp_path: Path
) -> None:
    (tmp_path / "gpu3/as").write_text("localhost/x:1\n")
    assert carry_out(nodes).ok
    assert (tmp_path / "gpu3/tags").read_text() == "localhost/x:1 x:1\n"


def test_who_has_no_place_in_the_chain_gets_it_through_this_machine_and_people_are_told(
    nodes: tuple[Node, ...], tmp_path: Path
) -> None:
    told: list[Happening] = []
    apart = replace(nodes[2], ip=None, network="203.0.113.0/24")  # of which this machine has no address
    report = carry_out((nodes[0], nodes[1], apart, nodes[3]), told.append)
    assert report.ok
    assert (tmp_path / "gpu3/image").stat().st_size == SIZE
    [note] = [each for each in told if isinstance(each, Noted)]
    assert note.host == "gpu3"
    assert note.what == "gets it through this machine: this host has no address in 203.0.113.0/24"


def test_a_source_without_an_image_is_named_to_all_in_docker_s_words(
    nodes: tuple[Node, ...], tmp_path: Path
) -> None:
    (tmp_path / "gpu1/image").unlink()
    failed = carry_out(nodes).failed
    assert {each.step.host for each in failed} == {"gpu2", "gpu3", "gpu4"}
    assert {each.failure and each.failure.message for each in failed} == {
        "gpu1 stopped sending it: Error response from daemon: reference does not exist (exit code 1)"
    }


def test_an_image_of_which_next_to_nothing_comes_is_no_success(
    nodes: tuple[Node, ...], tmp_path: Path
) -> None:
    docker = tmp_path / "gpu1/docker"
    docker.write_text("#!/bin/sh\nhead -c 6600 /dev/zero\n")
    for node in nodes[1:]:
        (tmp_path / node.name / "docker").write_text("#!/bin/sh\ncat >/dev/null; echo Loaded image: x:1\n")
    failed = carry_out(nodes).failed
    assert {each.failure and each.failure.message for each in failed} == {
        "gpu1 sent 7 kB of 21 MB: it lacks layers of the image"
    }
