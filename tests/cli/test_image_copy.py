"""`raycluster image copy`, as a person sees it."""

import pytest

from orchestrator.remote.transport import Output
from tests.cli.conftest import Raycluster, sent
from tests.cli.test_pull import IMAGE, has
from tests.remote.fakes import FakeFleet

ARCHIVE = Output(0, "all that is in it\n")


@pytest.fixture
def one_has_it(hosts: FakeFleet) -> FakeFleet:
    hosts.on("gpu1", sent("held"), has("sha256:one"))
    hosts.on("gpu2", sent("held"), Output(0), has("sha256:one"))
    hosts.on("gpu2", sent("layers"), Output(0))
    hosts.on("gpu1", sent("save"), ARCHIVE)
    hosts.on("gpu2", sent("load"), Output(0, "Loaded image\n"))
    return hosts


def test_the_host_that_lacks_it_gets_all_of_it(one_has_it: FakeFleet, raycluster: Raycluster) -> None:
    copy = raycluster("image", "copy", "--via", "laptop")
    assert copy.exit_code == 0, copy.stderr
    assert copy.stdout.startswith(f"all 2 hosts have {IMAGE}, sha256:one (copied to gpu2 in ")
    loaded = [each for each in one_has_it.sent if each.command.script == "load"]
    assert [(each.host, each.piped) for each in loaded] == [("gpu2", ARCHIVE.stdout.encode())]


def test_where_all_have_it_nothing_is_done(one_has_it: FakeFleet, raycluster: Raycluster) -> None:
    one_has_it.on("gpu2", sent("held"), has("sha256:one"))
    copy = raycluster("image", "copy")
    assert (copy.exit_code, copy.stderr) == (0, "")
    assert copy.stdout == f"{IMAGE} is the same on all hosts already, nothing to do\n"


def test_what_no_host_has_is_said_to_be_so(one_has_it: FakeFleet, raycluster: Raycluster) -> None:
    one_has_it.on("gpu1", sent("held"), Output(0))
    one_has_it.on("gpu2", sent("held"), Output(0))
    copy = raycluster("image", "copy")
    assert (copy.exit_code, copy.stdout) == (1, "")
    assert copy.stderr.startswith(f"✗ none of the hosts has {IMAGE}\n  gpu1, gpu2  has no image {IMAGE}\n")


def test_a_source_that_fails_is_named(one_has_it: FakeFleet, raycluster: Raycluster) -> None:
    one_has_it.on("gpu1", sent("save"), Output(1, "", "Error: cannot read layer\n"))
    copy = raycluster("image", "copy", "--via", "laptop")
    assert (copy.exit_code, copy.stdout) == (1, "")
    told = f"gpu2  load {IMAGE} from gpu1: gpu1 stopped sending it: Error: cannot read layer (exit code 1)\n"
    assert told in copy.stderr


def test_an_image_that_came_as_another_is_no_success(one_has_it: FakeFleet, raycluster: Raycluster) -> None:
    one_has_it.on("gpu2", sent("held"), Output(0), has("sha256:other"))
    copy = raycluster("image", "copy", "--via", "laptop")
    assert (copy.exit_code, copy.stdout) == (1, "")
    assert "is not the same on all hosts\n  gpu1  has sha256:one\n  gpu2  has sha256:other\n" in copy.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("x@sha256:" + "0" * 64,), "is named by its digest, which a copy does not carry"),
        (("UPPER",), "IMAGE: an image's name is lower case"),
        (("--from", "gpu9"), "--from: no host matches"),
        (("--from", "*"), "--from: one host, not 2"),
        (("-o", "sh"), "--output: should be one of text, jsonl, not"),
    ],
)
def test_a_mistake_contacts_nobody(
    hosts: FakeFleet, raycluster: Raycluster, words: tuple[str, ...], told: str
) -> None:
    copy = raycluster("image", "copy", *words)
    assert (copy.exit_code, hosts.sent) == (2, [])
    assert told in copy.stderr


def test_the_laptop_is_a_source_too(
    one_has_it: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop = FakeFleet()
    laptop.on("laptop", sent("held"), has("sha256:one"))
    laptop.on("laptop", sent("save"), ARCHIVE)
    laptop.on("laptop", sent("has"), Output(1))
    one_has_it.on("gpu2", sent("has"), Output(0))
    monkeypatch.setattr("orchestrator.remote.fleet.LocalTransport", lambda *_: laptop["laptop"])
    copy = raycluster("image", "copy", "--from", "laptop", "-l", "gpu2")
    assert copy.exit_code == 0, copy.stderr
    assert copy.stdout.startswith(f"laptop, gpu2 have {IMAGE}, sha256:one (copied to gpu2 in ")
    assert {each.host for each in one_has_it.sent} == {"gpu2"}
