"""The lock as a person meets it."""

import json
from threading import Event

import pytest

from orchestrator.plan.command import Command
from orchestrator.plan.lock import HELD, TAKEN
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.remote.fakes import Answer, FakeFleet, reached

from .conftest import Raycluster, sent

HOLDER = ("4711", "1000", "ben@desk", "down", "1065")  # as the head tells it, its clock last


@pytest.fixture
def locked(hosts: FakeFleet) -> FakeFleet:
    """The hosts while ben takes the cluster down."""
    hosts.streams("gpu1", sent("hold-lock"), *HOLDER, Output(TAKEN))
    hosts.on("gpu1", sent("ask-lock"), Output(0, "\n".join(HOLDER)))
    return hosts


@pytest.mark.parametrize("command", ["up", "down"])
def test_a_cluster_that_another_run_works_on_is_left_alone(
    command: str, locked: FakeFleet, raycluster: Raycluster
) -> None:
    run = raycluster(command)
    assert (run.exit_code, run.stdout) == (4, "")
    assert "cluster demo is locked: ben@desk has run `raycluster down` for 65 s" in run.stderr
    assert "Nothing was done." in run.stderr
    assert len(locked.sent) == 1


@pytest.mark.parametrize("words", [("status",), ("up", "--dry-run")])
def test_what_only_looks_needs_no_lock(words: tuple[str], hosts: FakeFleet, raycluster: Raycluster) -> None:
    raycluster(*words)
    assert not any(each.command.script == "hold-lock" for each in hosts.sent)


def test_the_lock_is_asked_for_before_anything_is_looked_at(hosts: FakeFleet, raycluster: Raycluster) -> None:
    assert raycluster("up").exit_code == 0
    assert "hold-lock" in hosts.sent[0].command.argv


def lock_is_lost_at(hosts: FakeFleet, script: str) -> None:
    """The head's lock ends while it is asked for this, and the run is seen to give that up."""
    lose = Event()

    def loses(_command: Command, cancel: Event) -> Answer:
        lose.set()
        assert reached(cancel)
        return Failure(FailureKind.CANCELLED, "cancelled")

    hosts.streams("gpu1", sent("hold-lock"), HELD, lose, Output(0))
    hosts.on("gpu1", sent(script), loses)


def test_a_run_that_loses_the_lock_stops_and_touches_nothing_more(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    lock_is_lost_at(hosts, "listening")
    up = raycluster("up")
    assert (up.exit_code, up.stdout) == (1, "")
    assert "its lock on gpu1 was lost: somebody has released it, or" in up.stderr
    assert "What it had started was left there" in up.stderr
    assert not any("discard" in line for line in hosts.lines())


def test_a_check_that_loses_the_lock_says_so(hosts: FakeFleet, raycluster: Raycluster) -> None:
    lock_is_lost_at(hosts, "observe")
    check = raycluster("check")
    assert (check.exit_code, check.stdout) == (1, "")
    assert "✗ gpu1  its lock on gpu1 was lost: somebody has released it, or" in check.stderr
    assert "→ raycluster lock status\n" in check.stderr


def test_a_head_that_cannot_be_locked_is_a_failure_and_nothing_is_started(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    hosts.streams("gpu1", sent("hold-lock"), Output(1, stderr="bash: flock: command not found\n"))
    up = raycluster("up")
    assert up.exit_code == 1
    assert "gpu1  the cluster's lock is out of reach there" in up.stderr
    assert "flock: command not found" in up.stderr
    assert not any("run" in each.command.argv for each in hosts.sent)


def test_lock_status_tells_who_and_since_when(locked: FakeFleet, raycluster: Raycluster) -> None:
    status = raycluster("lock", "status")
    assert status.exit_code == 4
    assert status.stdout == "cluster demo is locked: ben@desk has run `raycluster down` for 65 s\n"
    told = json.loads(raycluster("lock", "status", "-o", "json").stdout)
    assert told == {
        "version": 2,
        "cluster": "demo",
        "holder": {"by": "ben@desk", "command": "down", "seconds": 65.0, "pid": 4711},
    }
    assert len(locked.sent) == 2


def test_lock_status_of_a_free_lock_says_so(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.on("gpu1", sent("ask-lock"), Output(0))
    status = raycluster("lock", "status")
    assert (status.exit_code, status.stdout) == (0, "cluster demo is not locked\n")
    assert json.loads(raycluster("lock", "status", "-o", "json").stdout)["holder"] is None


def test_a_release_without_a_yes_does_nothing(locked: FakeFleet, raycluster: Raycluster) -> None:
    release = raycluster("lock", "release")
    assert release.exit_code == 2
    assert "say yes with -y" in release.stderr
    assert not any("release-lock" in line for line in locked.lines())


def test_a_release_with_a_yes_ends_the_run_that_holds_it(locked: FakeFleet, raycluster: Raycluster) -> None:
    locked.on("gpu1", sent("ask-lock"), Output(0, "\n".join(HOLDER)), Output(0))
    locked.on("gpu1", sent("release-lock"), Output(0))
    release = raycluster("lock", "release", "-y")
    assert release.exit_code == 0, release.stderr
    assert release.stdout == "the lock of cluster demo is free: the run of ben@desk was ended\n"
    (ended,) = (each for each in locked.sent if each.command.script == "release-lock")
    assert ended.command.argv[-1] == "4711"


def test_a_lock_that_a_release_does_not_free_is_never_called_free(
    locked: FakeFleet, raycluster: Raycluster
) -> None:
    locked.on("gpu1", sent("release-lock"), Output(0))
    release = raycluster("lock", "release", "-y")
    assert (release.exit_code, release.stdout) == (1, "")
    assert "gpu1  the process that holds the lock does not end" in release.stderr
    assert "→ on gpu1: kill -9 " in release.stderr


@pytest.mark.parametrize("words", [("lock", "status"), ("dashboard", "--no-open")])
def test_a_head_that_cannot_be_asked_is_named_with_why_and_what_to_do(
    words: tuple[str, ...], hosts: FakeFleet, raycluster: Raycluster
) -> None:
    refused = Failure(FailureKind.AUTH, "gpu1 refuses every key", detail="id_rsa: refused", fix="ssh-add")
    hosts.on("gpu1", sent("ask-lock"), refused)
    hosts.on("gpu1", sent("observe"), refused)
    asked = raycluster(*words)
    assert (asked.exit_code, asked.stdout) == (1, "")
    told = "✗ gpu1  gpu1 refuses every key\n      | id_rsa: refused\n      → ssh-add\n"
    assert asked.stderr.endswith(told)
