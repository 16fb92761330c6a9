"""A chain of relays as processes: what comes at its end, and what becomes of it when one is lost or stuck."""

import ast
import hashlib
import os
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.payload import relay_program
from orchestrator.remote.transfer.certificates import Authority
from tests.payload.relay.chains import HERE, MB, RelayProcess, chain, gone

SIZE = 48 * MB


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """Bytes that are nowhere alike, six times what a relay keeps."""
    path = tmp_path / "stream"
    path.write_bytes(
        b"".join(hashlib.sha256(b"%d" % each).digest() for each in range(1 << 15)) * (SIZE >> 20)
    )
    return path


def reads(path: Path) -> dict[str, Any]:
    return {"source": {"kind": "command", "command": ["cat", str(path)]}}


def writes(path: Path) -> dict[str, Any]:
    return {"sink": {"kind": "command", "command": ["sh", "-c", 'cat >"$0"', str(path)]}}


def slowly(path: Path, at: Path) -> dict[str, Any]:
    """Takes six MB, and the rest when there is a file `at`."""
    text = (
        'head -c 6291456 >"$0"; while kill -0 "$PPID" && ! [ -e "$1" ]; do sleep 0.05; done; exec cat >>"$0"'
    )
    return {"sink": {"kind": "command", "command": ["sh", "-c", text, str(path), str(at)]}}


def test_the_program_is_python_3_6() -> None:
    ast.parse(relay_program(), feature_version=(3, 6))


def test_three_relays_pass_on_what_the_first_gives(stream: Path, tmp_path: Path) -> None:
    with chain(reads(stream), writes(tmp_path / "1"), writes(tmp_path / "2")) as relays:
        relays[0].tell(start=True)
        for relay in relays[1:]:
            assert relay.wait_for("done")["bytes"] == stream.stat().st_size
        assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes() == stream.read_bytes()
        assert [relay.end() < 2 for relay in relays] == [True] * 3


def test_what_a_killed_one_had_under_way_the_next_gets_from_the_one_before(
    stream: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    with chain(
        reads(stream), writes(tmp_path / "1"), writes(tmp_path / "2"), slowly(tmp_path / "3", go)
    ) as relays:
        first, before, lost, last = relays
        first.tell(start=True)
        last.wait_for("moved", lambda each: each["came"] > 6 * MB)
        lost.process.kill()
        before.tell(next=last.name)
        last.follow(before)
        last.wait_for("linked", lambda each: each["peer"] == before.name)
        go.touch()
        assert last.wait_for("done")["bytes"] == stream.stat().st_size
        assert before.wait_for("done")
        assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes() == stream.read_bytes()
        assert not last.told("gap")


def test_two_neighbours_that_are_lost_at_once_leave_no_gap(stream: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    sinks = [writes(tmp_path / str(number)) for number in (1, 2, 3)]
    with chain(reads(stream), *sinks, slowly(tmp_path / "4", go)) as relays:
        first, last = relays[0], relays[-1]
        first.tell(start=True)
        last.wait_for("moved", lambda each: each["came"] > 6 * MB)
        for lost in relays[2:4]:
            lost.process.kill()
        relays[1].tell(next=last.name)
        last.follow(relays[1])
        go.touch()
        assert last.wait_for("done")["bytes"] == stream.stat().st_size
        assert (tmp_path / "4").read_bytes() == stream.read_bytes()


def test_one_whose_sink_fails_says_why_and_passes_the_rest_on(stream: Path, tmp_path: Path) -> None:
    full = {
        "sink": {"kind": "command", "command": ["sh", "-c", "head -c 999; echo no space left >&2; exit 1"]}
    }
    with chain(reads(stream), full, writes(tmp_path / "2")) as relays:
        relays[0].tell(start=True)
        assert relays[1].wait_for("failed")["why"] == "no space left"
        assert relays[2].wait_for("done")["bytes"] == stream.stat().st_size
        assert (tmp_path / "2").read_bytes() == stream.read_bytes()


def test_a_sink_that_takes_nothing_leaves_and_holds_up_the_others_no_longer(
    stream: Path, tmp_path: Path
) -> None:
    held = {"sink": {"kind": "command", "command": ["sleep", "60"]}, "limits": {"still": 2}}
    with chain(reads(stream), held, writes(tmp_path / "2")) as relays:
        relays[0].tell(start=True)
        assert relays[1].wait_for("failed") == {
            "what": "failed",
            "side": "sink",
            "why": "took nothing for 2 s",
            "stalled": True,
            "code": None,
        }
        assert relays[2].wait_for("done")["bytes"] == stream.stat().st_size


READS_ALL = "import sys, time; sys.stdin.buffer.read(); until = time.monotonic() + 6\n"


def test_a_sink_that_has_all_may_take_as_long_as_it_works(stream: Path) -> None:
    works = [sys.executable, "-c", READS_ALL + "while time.monotonic() < until: pass"]
    sink = {"sink": {"kind": "command", "command": works}, "limits": {"finish": 3, "look": 0}}
    with chain(reads(stream), sink) as relays:
        relays[0].tell(start=True)
        relays[1].wait_for("done")
        assert not relays[1].told("failed")


def test_a_sink_that_has_all_and_does_nothing_leaves(stream: Path) -> None:
    sleeps = [sys.executable, "-c", READS_ALL + "time.sleep(60)"]
    sink = {"sink": {"kind": "command", "command": sleeps}, "limits": {"finish": 2, "look": 0}}
    with chain(reads(stream), sink) as relays:
        relays[0].tell(start=True)
        said = relays[1].wait_for("failed")
    assert (said["why"], said["stalled"]) == ("had all, and was not seen to do anything for 2 s", True)


def test_a_relay_that_stands_still_is_told_of_by_the_one_before_it(stream: Path, tmp_path: Path) -> None:
    quick = {"limits": {"still": 2}}
    with chain(reads(stream) | quick, writes(tmp_path / "1") | quick, writes(tmp_path / "2")) as relays:
        relays[2].process.send_signal(19)  # as behind a cable that was cut
        relays[0].tell(start=True)
        assert relays[1].wait_for("moved", lambda each: "stuck" in each)["stuck"] >= 2


def test_a_source_that_fails_is_told_of_and_nobody_takes_what_came_for_the_whole(tmp_path: Path) -> None:
    source = {"source": {"kind": "command", "command": ["sh", "-c", "echo part; echo broken >&2; exit 3"]}}
    with chain(source, writes(tmp_path / "1")) as relays:
        relays[0].tell(start=True)
        assert relays[0].wait_for("failed")["why"] == "broken"
        relays[1].wait_for("moved", lambda each: each["came"] == len("part\n"))
        assert relays[1].end() < 2
        assert not relays[1].told("done")


def test_when_standard_input_ends_so_do_the_relay_and_all_that_it_began(tmp_path: Path) -> None:
    at = tmp_path / "pid"
    text = 'sleep 300 & echo "$!" >"$0.new"; mv "$0.new" "$0"; exec cat >/dev/null'
    endless = Path("/dev/zero")
    with chain(
        reads(endless), {"sink": {"kind": "command", "command": ["sh", "-c", text, str(at)]}}
    ) as relays:
        while not at.exists():
            pass
        relays[0].tell(start=True)
        assert relays[1].end() < 2
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((HERE, relays[1].port), 2)
        assert gone(int(at.read_text()))


def test_strangers_get_nothing_and_disturb_nobody(stream: Path, tmp_path: Path) -> None:
    authority = Authority()
    first = RelayProcess("relay-0", authority, next="relay-1", **reads(stream))
    last = RelayProcess("relay-1", authority, next=None, **writes(tmp_path / "1"))
    try:
        mute = socket.create_connection((HERE, first.port), 5)
        assert _asks(first.port, None) == b""
        assert _asks(first.port, Authority().identity("relay-1")) == b""
        assert _asks(first.port, authority.identity("relay-7")) == b""
        rude = socket.create_connection((HERE, first.port), 5)
        rude.sendall(b"GET / HTTP/1.0\r\n\r\n")
        first.wait_for("stranger", lambda each: each["why"] == "http request")
        first.tell(start=True)
        last.follow(first)
        assert last.wait_for("done")["bytes"] == stream.stat().st_size
        assert (tmp_path / "1").read_bytes() == stream.read_bytes()
        assert len(first.told("stranger")) >= 3
        mute.close()
        rude.close()
    finally:
        first.process.kill()
        last.process.kill()


def _asks(port: int, identity: Any) -> bytes:
    """What a client gets that has no certificate, one of another run, or one of the run for another place."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if identity:
        path = Path(f"/dev/shm/{os.getpid()}.{port}.pem")
        path.write_text(identity.certificate + identity.key)
        context.load_cert_chain(path)
        path.unlink()
    try:
        with context.wrap_socket(socket.create_connection((HERE, port), 5)) as wire:
            wire.sendall(b'{"from": 0, "behind": [0]}\n')
            return wire.recv(1000)
    except (ssl.SSLError, ConnectionError):
        return b""


def test_a_key_is_in_no_argument_list_no_environment_and_no_file(tmp_path: Path) -> None:
    with chain({"source": {"kind": "command", "command": ["true"]}}, writes(tmp_path / "1")) as relays:
        pid = relays[0].process.pid
        for place in ("cmdline", "environ"):
            assert b"PRIVATE" not in Path(f"/proc/{pid}/{place}").read_bytes()
        files = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
        assert not [each for each in files if "memfd" in each or each.startswith("/tmp/tmp")]


def test_a_relay_stays_small_whatever_passes_through_it() -> None:
    source = {"source": {"kind": "command", "command": ["head", "-c", str(300 * MB), "/dev/zero"]}}
    slow = {"sink": {"kind": "command", "command": [sys.executable, "-c", SLOW]}}
    with chain(source, writes(Path("/dev/null")), slow) as relays:
        relays[0].tell(start=True)
        relays[2].wait_for("done")
        for relay in relays:
            peak = Path(f"/proc/{relay.process.pid}/status").read_text().partition("VmHWM:")[2].split()[0]
            assert int(peak) < 48 * 1024  # with 8 MB of history


SLOW = """
import os, time
while os.read(0, 1 << 20):
    time.sleep(0.001)
"""
