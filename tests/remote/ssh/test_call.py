"""The call to a host, and the wait for its turn: what comes before the handshake."""

import socket
import subprocess
import sys
from contextlib import closing
from threading import Event
from time import monotonic

import pytest

from orchestrator.model.cluster import HostKeys, Ssh
from orchestrator.remote.ssh import transport
from orchestrator.remote.ssh.config import route
from orchestrator.remote.ssh.connection import connect
from orchestrator.remote.transport import FailureKind
from tests.payload.serving.place import until
from tests.remote.fakes import SOON
from tests.remote.sshd import Laptop, Sshd, failed, sh

pytestmark = pytest.mark.sshd

REFUSED = """
import sys
from pathlib import Path
from threading import Event
from orchestrator.model.cluster import Ssh
from orchestrator.remote.ssh import transport as ssh

ssh.import_fabric = lambda: None
for host, settings in {"127.0.0.2": Ssh(port=1), "nowhere.invalid": Ssh(), "127.0.0.3": Ssh(key="/nowhere")}.items():
    print(ssh.SshTransport(host, settings, Path(sys.argv[1])).call(cancel=Event()).message)
print([name for name in ("fabric", "invoke", "paramiko") if name in sys.modules])
"""


def test_a_host_that_waits_for_its_turn_loses_no_time_by_that(server: Sshd, laptop: Laptop) -> None:
    hops = route("gpu1", Ssh(), laptop.config)
    deadline = monotonic() + 0.5

    def turn() -> float:
        until("it is called", server.sessions)  # it has been called
        until("it is late", lambda: monotonic() > deadline)
        return SOON

    with closing(connect(hops, HostKeys.STRICT, deadline, turn=turn)) as opened:
        assert opened.alive


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_host_that_nobody_waits_for_any_more_is_left_without_a_handshake(
    server: Sshd, laptop: Laptop, cancelled: bool
) -> None:
    gpu1, cancel = laptop.dial("gpu1"), Event()
    assert gpu1.call(cancel=cancel) is None
    until("it is called", server.sessions)
    if cancelled:
        cancel.set()
        failed(gpu1.run(sh("true"), timeout=SOON, cancel=cancel), FailureKind.CANCELLED)
    gpu1.close()
    until("it is left", lambda: not server.sessions())
    assert "Accepted" not in server.log()


def test_a_name_server_that_hangs_is_waited_for_once(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: answers.wait(SOON))
    laptop.config.write_text("Host gpu1\n HostName gpu1.example.com\n")
    refused = laptop.dial("gpu1", Ssh(connect_timeout=0.1)).call(cancel=Event())
    answers.set()
    assert refused
    assert refused.message == "gpu1 cannot be connected to in 0.1 s"


def test_a_host_takes_the_call_while_fabric_is_imported(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.2", 0)) as listener:
        listener.settimeout(SOON)
        laptop.config.write_text(f"Host gpu1\n HostName 127.0.0.2\n Port {listener.getsockname()[1]}\n")
        monkeypatch.setattr(transport, "import_fabric", listener.accept)
        assert laptop.dial("gpu1").call(cancel=Event()) is None


def test_a_host_that_cannot_be_called_says_why(laptop: Laptop) -> None:
    laptop.config.write_text("Host gpu1\n HostName 127.0.0.2\n Port 1\n")
    refused = laptop.dial("gpu1").call(cancel=Event())
    assert refused
    assert refused.message == "127.0.0.2:1 refuses connections"


def test_what_refuses_the_call_is_told_without_any_part_of_fabric(laptop: Laptop) -> None:
    """It is being imported meanwhile, and a part of it imported elsewhere could be half done."""
    ran = subprocess.run(
        [sys.executable, "-c", REFUSED, laptop.config], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == [
        "127.0.0.2:1 refuses connections",
        "nowhere.invalid:22 cannot be looked up: its host name does not resolve",
        "the key /nowhere does not exist",
        "[]",
    ]
