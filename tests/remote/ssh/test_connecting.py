"""Connecting to a host, up to the handshake and the wait for it."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event, Semaphore
from time import monotonic

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.remote.ssh import transport
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import FailureKind, Output
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
    print(ssh.SshTransport(host, settings, Path(sys.argv[1])).open(cancel=Event()).message)
print([name for name in ("fabric", "invoke", "paramiko") if name in sys.modules])
"""


def test_a_host_that_waits_for_its_handshake_loses_no_time_by_that(server: Sshd, laptop: Laptop) -> None:
    handshakes = Semaphore(0)
    gpu1 = laptop.dial("gpu1", Ssh(connect_timeout=0.5), handshakes, Timeouts(poll=0.05))
    with ThreadPoolExecutor() as pool:
        opened = pool.submit(gpu1.open, cancel=Event())
        until("it is connected to", server.sessions)
        late = monotonic() + 0.5 + DEFAULT.connect_grace
        until("it is late", lambda: monotonic() > late)
        assert not opened.done()
        handshakes.release()
        assert opened.result(SOON) is None
    assert handshakes.acquire(timeout=SOON)


def test_hosts_that_do_not_answer_hold_no_handshake(server: Sshd, laptop: Laptop) -> None:
    """All are connected to at once, though one handshake is allowed at a time."""
    handshakes, cancel = Semaphore(1), Event()
    with never_accepts() as port, ThreadPoolExecutor() as pool:
        for n in range(4):
            laptop.host(f"silent{n}", server, "HostName 127.0.0.3", f"Port {port}")
        hosts = [laptop.dial(f"silent{n}", handshakes=handshakes) for n in range(4)]
        opening = [pool.submit(host.open, cancel=cancel) for host in hosts]
        assert laptop.dial("gpu1", handshakes=handshakes).open(cancel=Event()) is None
        assert not any(each.done() for each in opening)
        cancel.set()


@contextmanager
def never_accepts() -> Iterator[int]:
    """A port whose backlog is full: TCP connects to it are not answered."""
    with socket.socket() as listener, ExitStack() as callers:
        listener.bind(("127.0.0.3", 0))
        listener.listen(0)
        for _ in range(3):
            caller = callers.enter_context(socket.socket())
            caller.settimeout(0)
            caller.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_host_that_nobody_waits_for_any_more_is_left_without_a_handshake(
    server: Sshd, laptop: Laptop, cancelled: bool
) -> None:
    gpu1, cancel = laptop.dial("gpu1", handshakes=Semaphore(0), timeouts=Timeouts(poll=0.05)), Event()
    with ThreadPoolExecutor() as pool:
        opened = pool.submit(gpu1.open, cancel=cancel)
        until("it is connected to", server.sessions)
        if cancelled:
            cancel.set()
            failed(gpu1.run(sh("true"), timeout=SOON, cancel=cancel), FailureKind.CANCELLED)
        gpu1.close()
        until("it is left", lambda: not server.sessions())
        refused = opened.result(SOON)
    assert refused
    assert refused.kind is FailureKind.CANCELLED
    assert "Accepted" not in server.log()


@pytest.mark.usefixtures("server")
def test_a_connection_that_was_made_in_time_is_used_for_as_long_as_it_lasts(laptop: Laptop) -> None:
    gpu1 = laptop.dial("gpu1", Ssh(connect_timeout=3), timeouts=Timeouts(connect_grace=0))
    assert gpu1.open(cancel=Event()) is None
    late = monotonic() + 3
    until("its time to connect is over", lambda: monotonic() > late)
    assert gpu1.run(sh("echo in"), timeout=SOON, cancel=Event()) == Output(0, "in\n")


def test_a_name_server_that_hangs_is_waited_for_once(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: answers.wait(SOON))
    laptop.config.write_text("Host gpu1\n HostName gpu1.example.com\n")
    refused = laptop.dial("gpu1", Ssh(connect_timeout=1)).open(cancel=Event())
    answers.set()
    assert refused
    assert refused.message == "gpu1 cannot be connected to in 1 s"


def test_a_host_is_connected_to_while_fabric_is_imported(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.2", 0)) as listener:
        listener.settimeout(SOON)
        laptop.config.write_text(f"Host gpu1\n HostName 127.0.0.2\n Port {listener.getsockname()[1]}\n")
        accepted: list[socket.socket] = []
        monkeypatch.setattr(transport, "import_fabric", lambda: accepted.append(listener.accept()[0]))
        refused = laptop.dial("gpu1", Ssh(connect_timeout=1)).open(cancel=Event())
        assert refused
        assert refused.message.endswith("accepts connections, but says nothing")
        for each in accepted:
            each.close()
        assert len(accepted) == 1


def test_a_host_that_cannot_be_connected_to_says_why(laptop: Laptop) -> None:
    laptop.config.write_text("Host gpu1\n HostName 127.0.0.2\n Port 1\n")
    refused = laptop.dial("gpu1").open(cancel=Event())
    assert refused
    assert refused.message == "127.0.0.2:1 refuses connections"


def test_a_host_without_an_address_of_the_family_that_the_ssh_config_sets_is_told(laptop: Laptop) -> None:
    laptop.config.write_text("Host gpu1\n HostName 127.0.0.2\n AddressFamily inet6\n Port 1\n")
    refused = laptop.dial("gpu1").open(cancel=Event())
    assert refused
    assert refused.message.startswith("127.0.0.2:1 cannot be looked up with AddressFamily inet6: ")
    assert "AddressFamily in ~/.ssh/config" in refused.fix


def test_what_refuses_to_connect_is_told_without_any_part_of_fabric(laptop: Laptop) -> None:
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
