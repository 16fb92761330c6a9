"""Sessions on a host that accepts them and then does not start what it is asked to."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event, Thread
from time import monotonic

import paramiko
import pytest
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from orchestrator.model.cluster import Ssh
from orchestrator.remote.transport import FailureKind, Output
from tests.remote.conftest import Start
from tests.remote.sshd import ME, Laptop, Sshd, failed, run, sh

ADDRESS = "127.0.0.4"


class NeverStarts(paramiko.ServerInterface):
    """Lets everybody in, and leaves whoever asks for a command without an answer until it is `over`."""

    def __init__(self) -> None:
        self.over = Event()

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:  # noqa: ARG002
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:  # noqa: ARG002
        self.over.wait()
        return False


@pytest.fixture
def never_starts(server: Sshd) -> Iterator[int]:
    """The port of one on loopback, which has the real server's key."""
    mute = NeverStarts()
    with closing(socket.create_server((ADDRESS, 0))) as listener:

        def serve() -> None:
            transport = paramiko.Transport(listener.accept()[0])
            transport.add_server_key(paramiko.PKey.from_path(server.key("ed25519")))
            transport.start_server(event=Event(), server=mute)
            mute.over.wait()
            transport.close()

        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        mute.over.set()
        thread.join()


def test_a_host_that_never_starts_the_command_is_given_up(
    server: Sshd, never_starts: int, laptop: Laptop
) -> None:
    laptop.host("mute", server, f"HostName {ADDRESS}", f"Port {never_starts}")
    _, *key = server.known_hosts_line("ed25519").split()
    with laptop.known_hosts.open("a") as known:
        known.write(f"[{ADDRESS}]:{never_starts} {' '.join(key)}\n")
    failure = failed(run(laptop.dial("mute", Ssh(connect_timeout=1)), sh("true")), FailureKind.UNREACHABLE)
    assert failure.message.endswith("does not start the command")
    assert failure.detail == "no reply within 1 s"


@pytest.mark.sshd
def test_a_host_that_allows_no_session_is_told_at_once_with_the_line_that_allows_some(
    start: Start, laptop: Laptop
) -> None:
    """Within a minute, for which others that are on the connection would be waited for."""
    server = start("127.0.0.2", "MaxSessions 0")
    laptop.host("gpu1", server)
    laptop.knows(server)
    assert "open failed" in laptop.ssh("gpu1").stderr
    gpu1 = laptop.dial("gpu1")
    began = monotonic()
    failure = failed(run(gpu1, sh("true"), timeout=300), FailureKind.UNREACHABLE)
    assert monotonic() - began < 60
    login = f"{ME}@{server.address}:{server.port}"
    assert failure.message == f"{login} may log in, but is allowed no session there"
    server.options = (failure.fix.rpartition("let that say: ")[2],)
    server.stop()
    server.rewrite_config()
    server.start()
    assert run(laptop.dial("gpu1"), sh("echo in")) == Output(0, "in\n")


@pytest.mark.sshd
def test_two_that_ask_at_once_are_told_the_same(start: Start, laptop: Laptop) -> None:
    server = start("127.0.0.2", "MaxSessions 0")
    laptop.host("gpu1", server)
    laptop.knows(server)
    gpu1 = laptop.dial("gpu1")
    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(lambda _: run(gpu1, sh("true"), timeout=300), range(3)))
    assert {failed(each, FailureKind.UNREACHABLE).message for each in ended} == {
        f"{ME}@{server.address}:{server.port} may log in, but is allowed no session there"
    }
