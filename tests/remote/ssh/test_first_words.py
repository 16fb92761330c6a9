"""What a server says instead of logging anybody in, or before it hangs up."""

import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.payload.serving.place import until
from tests.remote.conftest import Start
from tests.remote.ssh.test_dialing import RELAYS, program
from tests.remote.sshd import ME, SSHD, Laptop, failed, run, sh

pytestmark = pytest.mark.sshd

AT_ONCE = Timeouts(reconnect=())
PENALTIES = "PerSourcePenalties=authfail:60 min:1"


@contextmanager
def says(words: bytes, *, hangs_up: bool = True) -> Iterator[int]:
    """A server that says so much to whoever calls."""
    with socket.create_server(("127.0.0.3", 0)) as listener:
        callers: list[socket.socket] = []

        def answer() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                caller.sendall(words)
                callers.append(caller)
                if hangs_up:
                    caller.shutdown(socket.SHUT_WR)

        Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        for caller in callers:
            caller.close()


def refused(laptop: Laptop, port: int, timeout: float = 10) -> Failure:
    laptop.config.write_text(f"Host gpu1\n HostName 127.0.0.3\n Port {port}\n User {ME}\n")
    failure = laptop.dial("gpu1", Ssh(connect_timeout=timeout), timeouts=AT_ONCE).open(cancel=Event())
    assert failure
    assert failure.kind is FailureKind.UNREACHABLE
    return failure


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        (
            b"Not allowed at this time\r\n",
            "closes the connection before the login, saying: Not allowed at this time",
            "PerSource",
        ),
        (
            b"Exceeded MaxStartups\r\n",
            "closes the connection before the login, saying: Exceeded MaxStartups",
            "MaxStartups in its",
        ),
        (
            b"twist: not from there",
            "closes the connection before the login, saying: twist: not from there",
            "try: ssh -p",
        ),
        (
            b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>\r\n",
            "closes the connection before the login, saying: HTTP/1.1 400 Bad Request",
            "that is a web server",
        ),
        (b"", "closes the connection before the login", "hosts.deny"),
        (b"SSH-2.0-busy\r\n", "closes the connection before the login", "MaxStartups"),
    ],
)
def test_a_server_that_hangs_up_is_told_in_its_own_words(
    laptop: Laptop, words: bytes, what: str, fix: str
) -> None:
    with says(words) as port:
        failure = refused(laptop, port)
    assert failure.message == f"127.0.0.3:{port} {what}"
    assert fix in failure.fix


def test_a_server_that_does_not_speak_ssh_and_waits_is_told_in_its_own_words(laptop: Laptop) -> None:
    with says(b"220 mail.example.com ESMTP\r\n", hangs_up=False) as port:
        failure = refused(laptop, port, timeout=0.5)
    assert failure.message == f"127.0.0.3:{port} does not speak SSH, it says: 220 mail.example.com ESMTP"


def test_a_server_that_is_busy_for_a_moment_is_tried_again(start: Start, laptop: Laptop) -> None:
    """OpenSSH 9.8 says the same of a machine that it punishes; for calls that it drops it adds nothing to that."""
    server = start("127.0.0.2")
    first = laptop.home / "first"
    relay = program(laptop, "relay", RELAYS)
    busy = f"if mkdir {first} 2>/dev/null; then echo Not allowed at this time; else exec {relay} %h %p; fi"
    laptop.host("gpu1", server, f"ProxyCommand sh -c {shlex.quote(busy)}")
    laptop.knows(server)
    assert run(laptop.dial("gpu1"), sh("echo in")) == Output(0, "in\n")
    assert first.is_dir()


def test_a_goodbye_is_told(laptop: Laptop) -> None:
    goodbye = b"\0\0\0\1" + b"\0\0\0\x09" + b"Go awaaay" + b"\0\0\0\0"
    payload = b"\1" + goodbye
    padding = 8 + (8 - (5 + len(payload)) % 8)
    packet = (1 + len(payload) + padding).to_bytes(4) + bytes([padding]) + payload + bytes(padding)
    with says(b"SSH-2.0-guard\r\n" + packet) as port:
        failure = refused(laptop, port)
    assert failure.message == f"127.0.0.3:{port} closes the connection before the login, saying: Go awaaay"


def test_an_sshd_that_punishes_this_machine_is_told_by_its_words(start: Start, laptop: Laptop) -> None:
    """OpenSSH 9.8 and newer."""
    server = start("127.0.0.2", "LogLevel VERBOSE")
    known = subprocess.run([str(SSHD), "-t", "-f", server.home / "config", "-o", PENALTIES], check=False)
    if known.returncode:
        pytest.skip("this OpenSSH knows no PerSourcePenalties")
    server.stop()
    server.options = (PENALTIES.replace("=", " ", 1),)
    server.rewrite_config()
    server.start()
    laptop.host("gpu1", server)
    laptop.knows(server)
    (server.home / "authorized_keys").write_text("")
    failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)

    def refusal() -> Failure | None:
        return laptop.dial("gpu1", timeouts=AT_ONCE).open(cancel=Event())

    until("the failed login counts", refusal)
    failure = refusal()
    assert failure
    assert failure.message.endswith(
        "closes the connection before the login, saying: Not allowed at this time"
    )
    assert "PerSourcePenalties" in failure.fix
