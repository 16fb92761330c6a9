"""The parts of the program that runs in a trial which loopback alone cannot make to happen."""

import errno
import shutil
import socket
from pathlib import Path

import pytest

from orchestrator.plan.facts.probe import Outcome
from tests.payload.programs import loaded

BASH = shutil.which("bash")
PING = "nobody may send an echo request here (it takes root, or CAP_NET_RAW, as containers have it)"

program = loaded("probe")


def test_devices_are_counted_by_their_numbers(tmp_path: Path) -> None:
    for name in ("renderD128", "renderD129", "card0", "renderDx", "renderD"):
        (tmp_path / name).touch()
    assert program.devices(str(tmp_path), "renderD") == (["renderD128", "renderD129"], "")
    assert program.devices(str(tmp_path / "nowhere"), "renderD") == ([], "")


@pytest.mark.skipif(not BASH, reason="needs bash")
@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("export ACCEL_HOME=/opt/accel\n", True),
        ("export PATH=/opt/accel/bin:$PATH\n", True),
        ("ulimit -n 64\n", True),
        ("# nothing yet\n", False),
        ("echo Welcome\n", False),
        ("shopt -s expand_aliases\nalias ll='ls -l'\nnot_exported=1\n", False),
        (None, False),
    ],
)
def test_a_bash_env_counts_where_its_file_changes_what_a_command_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, counts: bool
) -> None:
    file = tmp_path / "setvars.sh"
    monkeypatch.setenv("BASH_ENV", str(file))
    monkeypatch.setenv("ACCEL_HOME", "/opt/accel")  # as where the file was read already
    if text is not None:
        file.write_text(text)
    assert program.bash_env() == (str(file) if counts else "")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "refused"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "unreachable"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "unreachable"),
        (TimeoutError("timed out"), "silent"),
        (OSError(errno.ETIMEDOUT, "x"), "silent"),
    ],
)
def test_what_became_of_a_connection(monkeypatch: pytest.MonkeyPatch, error: OSError, outcome: str) -> None:
    def fails(*_given: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(program.socket, "create_connection", fails)
    assert program.connect("127.0.0.1", 9) == outcome
    assert outcome in set(Outcome)


@pytest.mark.parametrize(
    ("outcome", "route", "ping", "neighbour", "alive"),
    [
        ("open", False, False, False, True),
        ("refused", False, False, False, True),
        ("silent", True, True, False, True),
        ("silent", True, False, True, True),
        ("silent", True, False, False, False),
        ("unreachable", True, True, False, True),
        ("unreachable", False, True, True, False),
    ],
)
def test_a_host_is_alive_where_it_answers_in_any_way(
    monkeypatch: pytest.MonkeyPatch, outcome: str, route: bool, ping: bool, neighbour: bool, alive: bool
) -> None:
    for name, told in (
        ("connect", outcome), ("has_route", route), ("answers_ping", ping), ("is_neighbour", neighbour)
    ):  # fmt: skip
        monkeypatch.setattr(program, name, lambda *_given, told=told: told)
    wanted = {"address": "127.0.0.1:9", "outcome": outcome, "alive": alive}
    assert program.reach("127.0.0.1:9") == wanted


def test_an_ipv6_address_stands_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "connect", lambda *to: to)
    monkeypatch.setattr(program, "has_route", lambda _ip: False)
    assert program.reach("[fd00::2]:6380")["outcome"] == ("fd00::2", 6380)


def test_loopback_has_a_route_and_answers_an_echo_request() -> None:
    assert program.has_route("127.0.0.2")
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    except PermissionError:
        pytest.skip(PING)
    assert program.answers_ping("127.0.0.2")


def test_an_echo_request_that_may_not_be_sent_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_given: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(program.socket, "socket", refused)
    assert not program.answers_ping("127.0.0.2")
    assert not program.answers_ping("fd00::2")


ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
127.1.0.2        0x1         0x2         02:00:00:00:00:02     *        eth0
127.1.0.3        0x1         0x0         00:00:00:00:00:00     *        eth0
"""


@pytest.mark.parametrize(("ip", "told"), [("127.1.0.2", True), ("127.1.0.3", False), ("127.1.0.4", False)])
def test_a_host_that_told_its_card_is_on_this_network(
    monkeypatch: pytest.MonkeyPatch, ip: str, told: bool
) -> None:
    monkeypatch.setattr(program, "read", lambda _path: ARP)
    assert program.is_neighbour(ip) is told
