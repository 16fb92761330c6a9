"""Two runs on one cluster, on real hosts: the second is told who works there, and changes nothing."""

import signal

from .lab import Lab
from .seeing import brought_up, containers, has_started, ids, two_hosts, verdict


def test_of_two_ups_at_once_one_does_it_and_the_other_says_who(lab: Lab) -> None:
    inventory = two_hosts(lab)
    first = lab.raycluster_popen("up", inventory)
    has_started(lab.hosts["gpu1"])
    second = lab.raycluster("up", inventory)
    assert (second.returncode, second.stdout) == (4, "")
    assert "cluster lab is locked: root@laptop has run `raycluster up` for" in second.stderr
    meanwhile = lab.raycluster("status", inventory).stdout
    assert ("root@laptop has run `raycluster up` for " in meanwhile, "→" in meanwhile) == (True, False), (
        meanwhile
    )
    status = lab.raycluster("lock", "status", inventory)
    assert (status.returncode, "root@laptop has run `raycluster up`" in status.stdout) == (4, True)
    _, stderr = first.communicate(timeout=120)
    assert first.returncode == 0, stderr
    assert verdict(lab, inventory) == "healthy"
    assert lab.raycluster("lock", "status", inventory).stdout == "cluster lab is not locked\n"


def test_down_waits_for_nobody_while_up_runs_and_removes_nothing_of_it(lab: Lab) -> None:
    inventory = two_hosts(lab)
    up = lab.raycluster_popen("up", inventory)
    has_started(lab.hosts["gpu1"])
    before = ids(lab)
    assert lab.raycluster("down", inventory).returncode == 4
    assert before <= ids(lab)
    assert up.wait(timeout=120) == 0
    assert lab.raycluster("down", inventory).returncode == 0
    assert containers(lab) == {}


def test_a_run_that_is_stuck_is_ended_by_a_release_and_the_next_goes_on_from_there(lab: Lab) -> None:
    inventory = two_hosts(lab)
    stuck = lab.raycluster_popen("up", inventory)
    has_started(lab.hosts["gpu1"])
    stuck.send_signal(signal.SIGSTOP)
    release = lab.raycluster("lock", "release", inventory, "-y")
    assert release.returncode == 0, release.stderr
    stuck.send_signal(signal.SIGCONT)
    _, stderr = stuck.communicate(timeout=60)
    assert stuck.returncode == 1
    assert "its lock on gpu1 was lost" in stderr
    brought_up(lab, inventory)


def test_a_closed_terminal_ends_a_run_in_good_order(lab: Lab) -> None:
    up = lab.raycluster_popen("up", two_hosts(lab))
    has_started(lab.hosts["gpu1"])
    up.send_signal(signal.SIGHUP)
    assert up.wait(timeout=60) == 130
    assert containers(lab) == {}
