"""Images on real hosts: pulled from a registry, compared, copied from one host to the others."""

from collections.abc import Iterator

import pytest

from . import faults
from .lab import Lab
from .network import LAPTOP
from .registry import registry, small_image
from .seeing import says_nothing_good

PULLED, COPIED = f"{LAPTOP}:5000/small:1", "small:copied"


@pytest.fixture
def without(lab: Lab) -> Iterator[Lab]:
    """The lab, and none of its hosts has one of our images."""
    _forget(lab)
    yield lab
    faults.mend(lab.hosts["gpu2"])
    _forget(lab)


def _forget(lab: Lab) -> None:
    for host in lab.hosts.values():
        for repository in (f"{LAPTOP}:5000/small", "small"):
            for image in host.docker("images", "--quiet", repository).split():
                host.docker("rmi", "--force", image, check=False)


def test_an_image_is_pulled_everywhere_and_proved_to_be_the_same(without: Lab) -> None:
    lab, first_host = without, without.hosts["gpu1"]
    registry(lab)
    small_image(first_host, PULLED, "one", "two")
    first_host.docker("push", PULLED)
    inventory = lab.inventory(image=PULLED, docker={"pull": "missing"})

    first = lab.raycluster("pull", inventory)
    assert first.returncode == 0, first.stderr
    assert f"all 3 hosts have {PULLED}, sha256:" in first.stdout
    assert "(new on gpu2, gpu3, " in first.stdout
    assert f"gpu2: pull {PULLED}: ok" in first.stderr

    lab.hosts["gpu3"].stop_ssh()
    small_image(first_host, PULLED, "three")
    first_host.docker("push", PULLED)
    second = lab.raycluster("pull", inventory)
    assert (second.returncode, second.stdout) == (1, "")
    assert f"✗ {PULLED} is not known to be the same on all hosts: 1 host failed\n  gpu3  192" in second.stderr

    lab.hosts["gpu3"].start_ssh()
    looked = lab.raycluster("pull", lab.inventory(image=PULLED))  # its `docker.pull` is never
    assert looked.returncode == 1
    assert says_nothing_good(looked)
    assert f"✗ {PULLED} is not the same on all hosts\n  gpu1, gpu2  has sha256:" in looked.stderr
    assert "\n  gpu3  has sha256:" in looked.stderr


def test_an_image_is_copied_to_those_that_lack_it_while_one_is_down(without: Lab) -> None:
    lab, inventory = without, without.inventory(image=COPIED)
    nowhere = lab.raycluster("image", "copy", "-i", inventory)
    assert nowhere.returncode == 1
    assert f"gpu1, gpu2, gpu3  has no image {COPIED}" in nowhere.stderr

    small_image(lab.hosts["gpu2"], COPIED, "one")
    lab.hosts["gpu3"].stop_ssh()
    partly = lab.raycluster("image", "copy", "-i", inventory)
    assert (partly.returncode, partly.stdout) == (1, "")
    assert f"✗ {COPIED} is not known to be the same on all hosts: 1 host failed\n  gpu3  192" in partly.stderr

    lab.hosts["gpu3"].start_ssh()
    wholly = lab.raycluster("image", "copy", "-i", inventory)
    assert wholly.returncode == 0, wholly.stderr
    assert f"all 3 hosts have {COPIED}, sha256:" in wholly.stdout
    assert "(copied to gpu3 in " in wholly.stdout
    assert len({host.docker("images", "--quiet", "--no-trunc", COPIED) for host in lab.hosts.values()}) == 1

    again = lab.raycluster("image", "copy", "-i", inventory)
    assert again.stdout == f"{COPIED} is the same on all hosts already, nothing to do\n"


def test_a_full_disk_stops_the_copy_to_that_host_alone(without: Lab) -> None:
    lab, inventory = without, without.inventory(image=COPIED)
    small_image(lab.hosts["gpu1"], COPIED, "one")
    faults.fill_disk(lab.hosts["gpu2"], faults.INCOMING)
    copy = lab.raycluster("image", "copy", "-i", inventory)
    assert (copy.returncode, copy.stdout) == (1, "")
    assert f"gpu2  load {COPIED} from gpu1: " in copy.stderr
    assert "no space left on device (exit code 1)\n" in copy.stderr
    assert "→ free disk space where Docker keeps its data" in copy.stderr
    assert lab.hosts["gpu3"].docker("images", "--quiet", COPIED)
