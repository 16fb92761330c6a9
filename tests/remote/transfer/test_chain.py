"""Chains as a run has them: real relays, each begun by a command as a host would have it, and mended from here."""

import hashlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from orchestrator.payload import relay_program
from orchestrator.plan.command import Command
from orchestrator.plan.transfer.hop import Hop
from orchestrator.remote.local.transport import LocalTransport
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transfer.chain import Arrived, Outcome, Unlinked, run_chain
from orchestrator.remote.transport import Failure, FailureKind
from tests.payload.relay.chains import gone

MB = 1 << 20
SIZE = 64 * MB
RELAY = Command((sys.executable, "-c", relay_program()))
ABSENT = Command(("no-such-python3",))
DEAF = """
import json, sys
print(json.dumps({"what": "listening", "ip": "127.0.0.1", "port": 1}), flush=True)
sys.stdin.read()
"""


class Hosts:
    timeouts: Timeouts = DEFAULT

    def __getitem__(self, host: str) -> LocalTransport:
        return LocalTransport()


@dataclass
class Heard:
    came: dict[str, int] = field(default_factory=dict)
    all_stored: dict[str, int] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)
    half_way: Event = field(default_factory=Event)

    def moved(self, host: str, came: int) -> None:
        self.came[host] = came
        if len(self.came) > 1 and min(self.came.values()) > 2 * MB:
            self.half_way.set()

    def stored(self, host: str, came: int) -> None:
        self.all_stored[host] = came

    def told(self, host: str, facts: dict[str, Any]) -> None:
        """Commands report nothing."""

    def noted(self, host: str, what: str, server: str = "") -> None:  # noqa: ARG002 - what says it
        self.notes.append((host, what))


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    path = tmp_path / "stream"
    path.write_bytes(
        b"".join(hashlib.sha256(b"%d" % each).digest() for each in range(1 << 15)) * (SIZE >> 20)
    )
    return path


def gives(stream: Path, command: Command = RELAY) -> Hop:
    return Hop("a", command, "127.0.0.1", source={"kind": "command", "command": ["cat", str(stream)]})


def takes(host: str, *words: str, command: Command = RELAY) -> Hop:
    return Hop(host, command, "127.0.0.1", sink={"kind": "command", "command": list(words)})


def keeps(host: str, folder: Path) -> Hop:
    return takes(host, "sh", "-c", 'cat >"$0"', str(folder / host))


def slow(host: str, folder: Path, at: str = "go") -> Hop:
    """Takes three MB, and the rest once the test says so."""
    begin, wait = 'echo "$PPID" >"$0.pid"; head -c 3145728 >"$0"', 'kill -0 "$PPID" && ! [ -e "$1" ]'
    text = f'{begin}; while {wait}; do sleep 0.02; done; cat >>"$0"'
    return takes(host, "sh", "-c", text, str(folder / host), str(folder / at))


def go(
    *hops: Hop, heard: Heard | None = None, cancel: Event | None = None, **limits: float
) -> Mapping[str, Outcome]:
    return run_chain(hops, Hosts(), heard or Heard(), cancel or Event(), {"link": 1.0, **limits})


def has(outcome: Outcome) -> int | None:
    return outcome.bytes if isinstance(outcome, Arrived) else None


def test_all_have_it_in_the_end(stream: Path, tmp_path: Path) -> None:
    heard = Heard()
    outcomes = go(gives(stream), *(keeps(host, tmp_path) for host in "bcd"), heard=heard)
    assert {host: has(each) for host, each in outcomes.items()} == dict.fromkeys("bcd", SIZE)
    assert all((tmp_path / host).read_bytes() == stream.read_bytes() for host in "bcd")
    assert heard.all_stored == dict.fromkeys("bcd", SIZE)
    assert heard.notes == []


def test_a_part_is_told_whole_though_it_is_a_list_of_thousands_of_files(tmp_path: Path) -> None:
    """A pipe takes 64 kB at a time."""
    files = [f"folder/part-{number:05}.safetensors" for number in range(20_000)]
    long = replace(gives(Path(os.devnull)), source={"kind": "command", "command": ["true"], "files": files})
    assert has(go(long, keeps("b", tmp_path))["b"]) == 0


def test_a_host_that_dies_half_way_leaves_by_name_and_the_others_get_all(
    stream: Path, tmp_path: Path
) -> None:
    heard = Heard()
    dies = slow("c", tmp_path, "never")

    def kill() -> None:
        assert heard.half_way.wait(20)
        os.kill(int((tmp_path / "c.pid").read_text()), signal.SIGKILL)
        (tmp_path / "go").touch()

    Thread(target=kill).start()
    outcomes = go(gives(stream), keeps("b", tmp_path), dies, slow("d", tmp_path), heard=heard)
    assert (has(outcomes["b"]), has(outcomes["d"])) == (SIZE, SIZE)
    assert (tmp_path / "d").read_bytes() == stream.read_bytes()
    lost = outcomes["c"]
    assert isinstance(lost, Failure)
    assert lost.message == "the command was killed by a signal"


def test_a_full_disk_is_told_in_the_words_of_who_met_it(stream: Path, tmp_path: Path) -> None:
    full = takes("b", "sh", "-c", "head -c 999; echo 'write: no space left on device' >&2; exit 1")
    outcomes = go(gives(stream), full, keeps("c", tmp_path))
    full_disk = outcomes["b"]
    assert isinstance(full_disk, Failure)
    assert (full_disk.message, full_disk.exit_code) == ("write: no space left on device (exit code 1)", 1)
    assert has(outcomes["c"]) == SIZE


def test_who_has_no_python_is_left_out_and_the_rest_is_a_chain(stream: Path, tmp_path: Path) -> None:
    outcomes = go(gives(stream), takes("b", "cat", command=ABSENT), keeps("c", tmp_path))
    absent = outcomes["b"]
    assert isinstance(absent, Unlinked)
    assert "no-such-python3: not found" in absent.why
    assert has(outcomes["c"]) == SIZE


def test_without_a_relay_at_the_source_there_is_no_chain(stream: Path, tmp_path: Path) -> None:
    outcomes = go(gives(stream, ABSENT), keeps("b", tmp_path), keeps("c", tmp_path))
    assert all(
        isinstance(each, Unlinked) and each.why.startswith("a has no relay: ") for each in outcomes.values()
    )


def test_a_source_that_nobody_reaches_is_named_with_its_port(stream: Path, tmp_path: Path) -> None:
    deaf = Command((sys.executable, "-c", DEAF))
    outcomes = go(gives(stream, deaf), keeps("b", tmp_path), keeps("c", tmp_path))
    assert outcomes == dict.fromkeys("bc", Unlinked("does not reach 127.0.0.1:1 on a", "a"))


def test_a_source_that_fails_is_named_to_all(tmp_path: Path) -> None:
    broken = Hop(
        "a",
        RELAY,
        "127.0.0.1",
        source={"kind": "command", "command": ["sh", "-c", "echo part; echo 'no such image' >&2; exit 1"]},
    )
    outcomes = go(broken, keeps("b", tmp_path), keeps("c", tmp_path))
    told = {each.message for each in outcomes.values() if isinstance(each, Failure)}
    assert told == {"a stopped sending it: no such image (exit code 1)"}
    assert len(outcomes) == 2


def test_an_interruption_ends_all_of_it_within_two_seconds(stream: Path, tmp_path: Path) -> None:
    heard, cancel = Heard(), Event()
    began: list[float] = []

    def interrupt() -> None:
        assert heard.half_way.wait(20)
        began.append(time.monotonic())
        cancel.set()

    Thread(target=interrupt).start()
    outcomes = go(gives(stream), slow("b", tmp_path), slow("c", tmp_path), heard=heard, cancel=cancel)
    assert time.monotonic() - began[0] < 2
    assert {each.kind for each in outcomes.values() if isinstance(each, Failure)} == {FailureKind.CANCELLED}
    for host in "bc":
        assert gone(int((tmp_path / f"{host}.pid").read_text()))


def test_a_host_that_takes_nothing_leaves_and_the_others_go_on(stream: Path, tmp_path: Path) -> None:
    outcomes = go(gives(stream), slow("b", tmp_path, "never"), keeps("c", tmp_path), still=2.0)
    assert outcomes["b"] == Failure(FailureKind.TIMEOUT, "took nothing for 2 s")
    assert has(outcomes["c"]) == SIZE
