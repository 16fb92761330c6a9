"""The cluster's lock on a real OpenSSH server: one has it, and nobody can leave it behind."""

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Queue
from threading import Event
from time import monotonic

import pytest

from orchestrator.plan import lock
from orchestrator.plan.command import Command
from orchestrator.plan.lock import Holder
from orchestrator.remote.execute.lock import Lock, ask, ourselves
from orchestrator.remote.ssh.transport import SshTransport
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Failure
from tests.plan.worlds import cluster
from tests.remote.conftest import Start
from tests.remote.sshd import Laptop, Sshd

pytestmark = pytest.mark.sshd

DEMO = cluster()
FOLDER = f".raycluster/{DEMO.name}"
LOCK = f"{socket.gethostname()}.lock"


@dataclass
class Head:
    """A host with a home of its own, and runs that want its lock."""

    server: Sshd
    home: Path
    laptop: Laptop
    lost: "Queue[str]"
    runs: list[Lock]
    timeouts: Timeouts = DEFAULT
    patience: float = 10.0

    def dial(self) -> SshTransport:
        return self.laptop.dial("gpu1", timeouts=self.timeouts)

    def take(self, by: str = "ana@laptop", command: Command | None = None) -> Lock | Holder | Failure:
        run = Lock(self.dial(), command or lock.hold(DEMO, by, "up"), self.lost.put, self.timeouts.lock_quiet)
        self.runs.append(run)
        return run.take(Event(), self.patience)

    def holder(self) -> Holder | None:
        told = ask(self.dial(), lock.ask(DEMO), Event())
        assert isinstance(told, str), told
        return lock.parse(told)

    def free_within(self, seconds: float) -> bool:
        until = monotonic() + seconds
        while self.holder() and monotonic() < until:
            pass
        return self.holder() is None


@pytest.fixture
def head(start: Start, laptop: Laptop, tmp_path: Path) -> Iterator[Head]:
    home = tmp_path / "home"
    home.mkdir()
    server = start("127.0.0.2", f"SetEnv SHLVL=2 HOME={home}")
    laptop.host("gpu1", server)
    laptop.knows(server)
    head = Head(server, home, laptop, Queue(), [])
    yield head
    for run in head.runs:
        run.free()


def test_one_run_has_the_lock_and_the_next_is_told_who(head: Head) -> None:
    assert isinstance(head.take("ana@laptop"), Lock)
    taken = head.take("ben@desk")
    assert isinstance(taken, Holder)
    assert (taken.by, taken.command) == ("ana@laptop", "up")
    assert 0 <= taken.seconds < 60


def test_nothing_of_it_is_left_once_it_is_free(head: Head) -> None:
    held = head.take()
    assert isinstance(held, Lock)
    assert (head.home / FOLDER / LOCK).stat().st_mode & 0o777 == 0o600
    held.free()
    assert head.free_within(20)
    assert list(head.home.iterdir()) == []
    assert isinstance(head.take("ben@desk"), Lock)


def test_rays_token_beside_it_stays(head: Head) -> None:
    held = head.take()
    assert isinstance(held, Lock)
    (head.home / FOLDER / "gpu1.token").write_text("c0ffee")
    held.free()
    assert head.free_within(20)
    assert [path.name for path in (head.home / FOLDER).iterdir()] == ["gpu1.token"]


def test_two_clusters_have_a_lock_each(head: Head) -> None:
    assert isinstance(head.take(), Lock)
    other = lock.hold(replace(DEMO, name="other"), "ben@desk", "up")
    assert isinstance(head.take(command=other), Lock)


def test_a_laptop_that_dies_leaves_no_lock(head: Head) -> None:
    dying = head.dial()
    run = Lock(dying, lock.hold(DEMO, "ana@laptop", "up"), head.lost.put)
    assert run.take(Event(), 10) is run
    dying.close()
    assert head.free_within(20)


def test_a_holder_of_whom_nothing_is_heard_is_given_up(head: Head) -> None:
    *words, _silence = lock.hold(DEMO, "ana@laptop", "up").argv
    assert isinstance(head.take(command=Command((*words, "1"))), Lock)
    assert "released" in head.lost.get(timeout=20)
    assert head.holder() is None


def test_a_holder_that_lives_keeps_it_for_longer_than_the_silence_allowed(head: Head) -> None:
    head.timeouts = Timeouts(heartbeat=0.2)
    *words, _silence = lock.hold(DEMO, "ana@laptop", "up").argv
    held = head.take(command=Command((*words, "2")))
    assert isinstance(held, Lock)
    until = monotonic() + 3
    while monotonic() < until:
        assert isinstance(head.holder(), Holder)


def test_a_release_ends_the_run_that_holds_it_and_tells_that_run(head: Head) -> None:
    assert isinstance(head.take(), Lock)
    holder = head.holder()
    assert holder
    assert ask(head.dial(), lock.release(DEMO, holder), Event()) == ""
    assert head.holder() is None
    assert "somebody has released it" in head.lost.get(timeout=20)


def test_a_release_that_comes_too_late_ends_nobody_else(head: Head) -> None:
    held = head.take()
    holder = head.holder()
    assert isinstance(held, Lock)
    assert holder
    held.free()
    assert head.free_within(20)
    assert isinstance(head.take("ben@desk"), Lock)
    ask(head.dial(), lock.release(DEMO, holder), Event())
    assert head.lost.empty()
    assert (now := head.holder())
    assert now.by == "ben@desk"


def test_a_connection_that_breaks_is_a_lost_lock(head: Head) -> None:
    assert isinstance(head.take(), Lock)
    head.server.drop()
    assert "lost" in head.lost.get(timeout=20)


@pytest.mark.usefixtures("head")
def test_a_home_that_cannot_be_written_is_a_failure_with_a_remedy(start: Start, laptop: Laptop) -> None:
    server = start("127.0.0.3", "SetEnv SHLVL=2 HOME=/proc/nowhere")
    laptop.host("gpu9", server)
    laptop.knows(server)
    got = Lock(laptop.dial("gpu9"), lock.hold(DEMO, "ana@laptop", "up"), print).take(Event(), 10)
    assert isinstance(got, Failure)
    assert "lock" in got.message
    assert "flock" in got.fix


def test_we_are_named_by_user_and_machine() -> None:
    user, _, machine = ourselves().partition("@")
    assert user
    assert machine


@pytest.mark.parametrize("exit_code", [71, 127])
def test_a_flock_that_fails_is_not_called_another_run(head: Head, exit_code: int) -> None:
    """As on a network home without a lock daemon, or on a host without `flock`."""
    programs = head.home / "bin"
    programs.mkdir()
    (programs / "flock").write_text(f"#!/bin/sh\necho no locks >&2\nexit {exit_code}\n")
    (programs / "flock").chmod(0o755)
    bash, option, script, *words = lock.hold(DEMO, "ana@laptop", "up").argv
    got = head.take(command=Command((bash, option, f"PATH={programs}:$PATH\n{script}", *words)))
    assert isinstance(got, Failure)
    assert (got.exit_code, got.detail) == (1, "no locks")


def test_who_only_asks_takes_it_from_nobody(head: Head) -> None:
    """An empty file that is locked for an instant: `lock status` looks so."""
    (head.home / FOLDER).mkdir(parents=True)
    file = head.home / FOLDER / LOCK
    with subprocess.Popen(["flock", file, "sh", "-c", "echo; sleep 0.2"], stdout=subprocess.PIPE) as asking:
        assert asking.stdout
        asking.stdout.readline()  # it is locked
        assert isinstance(head.take(), Lock)


def test_a_lock_of_which_nothing_is_heard_is_lost_though_its_connection_is_well(head: Head) -> None:
    """As behind a jump host whose own cable is cut."""
    head.timeouts = Timeouts(lock_quiet=0.5)
    bash, option, script, *words = lock.hold(DEMO, "ana@laptop", "up").argv
    mute = script.replace("do echo alive; done", "do :; done")
    assert isinstance(head.take(command=Command((bash, option, mute, *words))), Lock)
    assert head.lost.get(timeout=20) == "nothing is heard of it any more"
