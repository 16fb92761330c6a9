"""`raycluster dashboard` and `metrics` on hosts that are not there."""

import json
import os
import signal
import socket
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.remote.transport import Failure, FailureKind, Wire
from tests.plan.recordings import Said, inspected, ray_line, ray_row, standing
from tests.remote.fakes import FakeFleet

from .conftest import Raycluster, seen, sent

if TYPE_CHECKING:
    from collections.abc import Iterator

DASHBOARD = ("gpu1", "127.0.0.1", 8265)


@pytest.fixture
def serving(cluster_stands: FakeFleet) -> FakeFleet:
    """A cluster with a dashboard that says `welcome` and hangs up."""
    rows = (ray_row("10.0.0.1"), ray_row("10.0.0.2", metrics=44708))
    table = ray_line(*rows, dashboard="127.0.0.1:8265", metrics=["10.0.0.1:44227"])
    asks = inspected()["Config"] | {"Env": ["RAY_AUTH_MODE=token"]}
    head = standing("raycluster-demo-gpu1", Config=asks)
    cluster_stands.on("gpu1", sent("observe"), seen("10.0.0.1", **head, ray=Said(table)))
    cluster_stands.streams("gpu1", sent("stay"))
    cluster_stands.wires[DASHBOARD] = page
    return cluster_stands


def page() -> socket.socket:
    near, far = socket.socketpair()
    far.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwelcome")
    far.shutdown(socket.SHUT_WR)
    far.detach()  # open until the test is over
    return near


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the browser's visit gave; after it comes Ctrl-C."""
    given: list[str] = []

    def visit(link: str) -> bool:
        try:
            with urllib.request.urlopen(link, timeout=20) as answer:
                given.append(answer.read().decode())
        except OSError as error:
            given.append(f"{error} {getattr(error, 'read', bytes)().decode()}")
        os.kill(os.getpid(), signal.SIGINT)
        return True

    monkeypatch.setattr("webbrowser.get", object)
    monkeypatch.setattr("webbrowser.open", visit)
    return given


def test_the_browser_gets_the_dashboard_and_ctrl_c_ends_it_well(
    serving: FakeFleet, raycluster: Raycluster, visits: list[str]
) -> None:
    answer = raycluster("dashboard")
    assert (answer.exit_code, visits) == (0, ["welcome"])
    link = answer.stdout.strip()
    assert link.startswith("http://127.0.0.1:")
    assert "c0ffee" not in answer.output
    assert "the tunnel is closed" in answer.stderr
    assert serving.closed == {"gpu1", "gpu2"}


def test_what_goes_wrong_meanwhile_is_told_to_the_browser_and_here(
    serving: FakeFleet, raycluster: Raycluster, visits: list[str]
) -> None:
    cut = Failure(FailureKind.UNREACHABLE, "the cable is cut")
    wires: Iterator[Wire | Failure] = iter((page(), cut))
    serving.wires[DASHBOARD] = lambda: next(wires)
    answer = raycluster("dashboard")
    assert answer.exit_code == 0
    assert ("502" in visits[0], "the cable is cut" in visits[0]) == (True, True)
    assert "✗ gpu1  the cable is cut; the next request tries again" in answer.stderr


def test_only_the_dashboard_itself_shows_that_it_is_back(
    serving: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a connection to the head, which stands again while nothing listens there."""
    gone = Failure(FailureKind.UNREACHABLE, "nothing answers")
    wires: Iterator[Wire | Failure] = iter((page(), gone, gone, page()))
    serving.wires[DASHBOARD] = lambda: next(wires)
    answered: list[int] = []

    def visit(link: str) -> bool:
        for _ in range(3):
            with suppress(urllib.error.HTTPError), urllib.request.urlopen(link, timeout=20) as answer:
                answered.append(answer.status)
        os.kill(os.getpid(), signal.SIGINT)
        return True

    monkeypatch.setattr("webbrowser.get", object)
    monkeypatch.setattr("webbrowser.open", visit)
    answer = raycluster("dashboard")
    assert (answer.exit_code, answered) == (0, [200])
    assert answer.stderr.count("✗ gpu1  nothing answers") == 1
    assert answer.stderr.count("the dashboard on gpu1 answers again") == 1


def test_no_open_only_prints(serving: FakeFleet, raycluster: Raycluster, visits: list[str]) -> None:
    def interrupted(*_: object) -> Failure:
        os.kill(os.getpid(), signal.SIGINT)
        return Failure(FailureKind.CANCELLED, "cancelled")

    serving.streams("gpu1", sent("stay"), interrupted)
    answer = raycluster("dashboard", "--no-open")
    assert (answer.exit_code, visits) == (0, [])
    assert answer.stdout.startswith("http://127.0.0.1:")


def test_never_a_tunnel_to_nothing(serving: FakeFleet, raycluster: Raycluster) -> None:
    del serving.wires[DASHBOARD]
    answer = raycluster("dashboard")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "✗ gpu1  Ray's dashboard is not there: nothing answers at 127.0.0.1:8265" in answer.stderr
    assert "→ did it end there? its log, in the head's container" in answer.stderr


def test_no_cluster_no_dashboard(hosts: FakeFleet, raycluster: Raycluster) -> None:
    answer = raycluster("dashboard")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "✗ gpu1  no container of cluster demo is there" in answer.stderr
    assert "→ raycluster up\n" in answer.stderr
    assert {each.host for each in hosts.sent} == {"gpu1"}


def test_a_local_port_that_is_taken_is_told_before_anything_is_asked(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = raycluster("dashboard", "--port", str(taken.getsockname()[1]))
    assert answer.exit_code == 2
    assert "Address already in use" in answer.stderr
    assert hosts.sent == []


def test_metrics_are_told_as_prometheus_reads_them(serving: FakeFleet, raycluster: Raycluster) -> None:
    answer = raycluster("metrics")
    assert answer.exit_code == 0
    assert [each["targets"] for each in json.loads(answer.stdout)] == [
        ["10.0.0.1:44707", "10.0.0.1:44227"],
        ["10.0.0.2:44708"],
    ]
    assert not any(each.command.script == "stay" for each in serving.sent)


def test_metrics_leave_out_and_name_a_host_that_is_not_in_ray(
    serving: FakeFleet, raycluster: Raycluster
) -> None:
    serving.on("gpu2", sent("observe"), seen("10.0.0.2"))
    answer = raycluster("metrics")
    assert answer.exit_code == 1
    assert [each["labels"]["node"] for each in json.loads(answer.stdout)] == ["gpu1"]
    assert "✗ gpu2  is not in Ray: it has no container" in answer.stderr


def test_metrics_replace_a_file_and_leave_it_alone_where_there_are_none(
    serving: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    file = folder / "ray.json"
    assert raycluster("metrics", "--write", "ray.json").stdout == ""
    written = file.read_text()
    assert len(json.loads(written)) == 2
    serving.on("gpu1", sent("observe"), Failure(FailureKind.UNREACHABLE, "10.0.0.1 does not answer"))
    answer = raycluster("metrics", "--write", "ray.json")
    assert (answer.exit_code, file.read_text()) == (1, written)
    assert "✗ gpu1  10.0.0.1 does not answer" in answer.stderr
    assert [each.name for each in folder.glob("*ray*")] == ["ray.json"]


@pytest.mark.parametrize("file", ["none/ray.json", "."])
def test_metrics_that_cannot_be_written_are_not_gathered(
    file: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    answer = raycluster("metrics", "--write", file)
    assert (answer.exit_code, hosts.sent) == (2, [])
    assert answer.stderr.startswith(f"{file}: ")
