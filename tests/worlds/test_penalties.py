"""OpenSSH 9.8 and newer keeps a record of addresses that fail to log in, and for some time serves them no more."""

import pytest

from tests.lab import worlds
from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.seeing import remedies
from tests.lab.worlds import TRIXIE, World

THE_SERVER = "Not allowed at this time"
"""What sshd says before it hangs up."""

pytestmark = [
    pytest.mark.parametrize("world", [TRIXIE], ids=str, indirect=True),
    pytest.mark.usefixtures("world"),
]


def is_reached(lab: Lab) -> bool:
    return lab.laptop(["ssh", "-o", "BatchMode=yes", "gpu1", "true"]).returncode == 0


def test_its_sshd_is_of_that_kind_and_keeps_such_a_record(lab: Lab) -> None:
    gpu1 = lab.hosts["gpu1"]
    assert "trixie" in gpu1.run("cat", "/etc/os-release").stdout
    assert "OpenSSH_10." in gpu1.run("ssh", "-V").stderr
    set_to = gpu1.run("/usr/sbin/sshd", "-T").stdout
    assert "persourcepenalties crash:" in set_to


def test_many_logins_one_after_another_and_at_once_lock_nobody_out(lab: Lab, world: World) -> None:
    inventory = worlds.inventory(lab, world)
    for _ in range(20):
        free = lab.raycluster("lock", "status", inventory)
        assert free.returncode == 0, free.stderr
    at_once = [lab.raycluster_popen("lock", "status", inventory) for _ in range(8)]
    assert [each.wait(timeout=60) for each in at_once] == [0] * 8
    assert is_reached(lab)


def test_looking_at_host_keys_again_and_again_locks_nobody_out(lab: Lab, world: World) -> None:
    inventory = worlds.inventory(lab, world)
    known_hosts = lab.home / ".ssh/known_hosts"
    for _ in range(6):
        known_hosts.write_text("")
        refused = lab.raycluster("check", inventory)
        assert "is not known: ED25519 SHA256:" in refused.stdout + refused.stderr
        trust = lab.raycluster("trust", inventory, input="y\n")
        assert trust.returncode == 0, trust.stderr
    assert lab.hosts["gpu1"].public_key in known_hosts.read_text()
    assert is_reached(lab)


def test_a_wrong_key_is_said_to_be_one_and_the_right_one_is_let_in_afterwards(lab: Lab, world: World) -> None:
    inventory = worlds.inventory(lab, world)
    lab.on_each(lambda host: host.authorize(lab.hosts["gpu3"].public_key))
    refused = lab.raycluster("check", inventory)
    assert "gpu1  root@192.0.2.11:22 refuses every key" in refused.stdout + refused.stderr
    lab.on_each(lambda host: host.authorize(lab.desk.public_key))
    check = lab.raycluster("check", inventory)
    assert check.returncode == 0, check.stdout + check.stderr


def test_who_is_locked_out_by_a_wrong_key_is_told_so_and_let_in_again_after_a_while(
    lab: Lab, world: World
) -> None:
    inventory = worlds.inventory(lab, world)
    lab.on_each(lambda host: host.authorize(lab.hosts["gpu3"].public_key))
    for _ in range(10):
        told = lab.raycluster("status", inventory)
        if THE_SERVER in told.stdout:
            break
    assert THE_SERVER in told.stdout
    assert any("PerSourcePenalties" in each for each in remedies(told)), told.stdout
    lab.on_each(lambda host: host.authorize(lab.desk.public_key))
    wait_until("the penalty is over", lambda: is_reached(lab), 90)
    check = lab.raycluster("check", inventory)
    assert check.returncode == 0, check.stdout + check.stderr
