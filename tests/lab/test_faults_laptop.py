"""Faults of the laptop in the middle of `up`: it dies, or its cable is cut. Nobody has to clean up after it."""

import signal
from collections.abc import Callable

import pytest

from . import network
from .lab import Lab
from .laptop import NAME
from .processes import wait_until
from .seeing import brought_up, failed, finished, has_started, heard, ids, just_asked, repaired, two_hosts

HEAD = "raycluster-lab-gpu1"


def looks(lab: Lab) -> bool:
    return lab.hosts["gpu1"].runs("^sshd: root")


def starts_the_head(lab: Lab) -> bool:
    lab.hosts["gpu1"].catch(f"^docker run .*{HEAD} ")
    return True


def waits_for_the_head(lab: Lab) -> bool:
    has_started(lab.hosts["gpu1"])
    return True


def waits_for_workers(lab: Lab) -> bool:
    has_started(lab.hosts["gpu2"])
    return True


def killed_when(lab: Lab, inventory: object, reached: Callable[[Lab], bool]) -> None:
    up = lab.raycluster_popen("up", str(inventory))
    wait_until("that far", lambda: reached(lab))
    up.kill()
    assert finished(up).returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("reached", "engine"),
    [(looks, "mp"), (starts_the_head, "mp"), (waits_for_the_head, "ray"), (waits_for_workers, "ray")],
)
def test_a_laptop_that_dies_during_up(lab: Lab, reached: Callable[[Lab], bool], engine: str) -> None:
    inventory = two_hosts(lab, engine=engine)
    killed_when(lab, inventory, reached)
    repaired(lab, inventory)


def test_a_laptop_that_dies_while_an_old_container_is_replaced(lab: Lab) -> None:
    brought_up(lab, two_hosts(lab, engine="mp"))
    before = ids(lab)
    changed = two_hosts(lab, engine="mp", worker={"env": {"NCCL_DEBUG": "INFO"}})
    killed_when(lab, changed, lambda lab: not before <= ids(lab))
    repaired(lab, changed)


@pytest.mark.long
def test_a_laptop_whose_cable_is_cut_during_up(lab: Lab) -> None:
    inventory = two_hosts(lab, ssh={"connect_timeout": 3})
    up = lab.raycluster_popen("up", inventory)
    heard(up, "gpu2: start its container: ok")
    just_asked(lab.hosts["gpu2"])
    network.cut(NAME)
    failed(
        finished(up, 40),
        "gpu1  wait until Ray lists it: ",
        "gpu2  wait until Ray lists it: ",
        "its container may still be there",
    )
    network.mend(NAME)
    # The head hears of it later than the laptop; until then it may think that the run goes on.
    assert lab.raycluster("lock", "release", "--yes", inventory).returncode == 0
    repaired(lab, inventory)
