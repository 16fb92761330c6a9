"""The wire to the first hop: from the address that the SSH config names, or through a ProxyCommand."""

import shlex
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.remote.ssh.config import settings
from orchestrator.remote.ssh.dial import dial
from orchestrator.remote.ssh.heard import Heard
from orchestrator.remote.transport import FailureKind, Output
from tests.remote.conftest import Start
from tests.remote.fakes import SOON
from tests.remote.sshd import Laptop, Sshd, failed, run, sh

pytestmark = pytest.mark.sshd

IN = Output(0, "in\n")

HANDS_OVER = """
import socket, sys
wire = socket.create_connection((sys.argv[1], int(sys.argv[2])))
socket.send_fds(socket.socket(fileno=1), [b" "], [wire.fileno()])
"""
RELAYS = """
import os, socket, sys, threading
wire = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def there():
    while data := os.read(0, 65536):
        wire.sendall(data)
    wire.shutdown(socket.SHUT_WR)
threading.Thread(target=there, daemon=True).start()
while data := wire.recv(65536):
    os.write(1, data)
"""


def program(laptop: Laptop, name: str, text: str) -> str:
    file = laptop.home / name
    file.write_text(f"#!{sys.executable}\n{text}")
    file.chmod(0o755)
    return str(file)


def test_a_host_is_called_from_the_address_that_the_config_names(start: Start, laptop: Laptop) -> None:
    server = start("127.0.0.2", "LogLevel VERBOSE")
    laptop.host("gpu1", server, "BindAddress 127.0.0.77")
    laptop.knows(server)
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN
    assert "Connection from 127.0.0.77 " in server.log()


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_host_is_called_from_the_interface_that_the_config_names(
    laptop: Laptop, family: socket.AddressFamily, address: str
) -> None:
    if family == socket.AF_INET6 and not Path("/proc/net/if_inet6").exists():
        pytest.skip("there is no IPv6 here")
    with socket.create_server((address, 0), family=family) as listener, ExitStack() as undo:
        laptop.config.write_text("BindInterface lo\n")
        hop = settings(address, Ssh(port=listener.getsockname()[1]), laptop.config)
        wire = dial(hop, monotonic() + SOON, undo, SOON, Heard())
        assert wire.getsockname()[0] == address


@pytest.mark.parametrize(
    ("keyword", "why"),
    [
        ("BindAddress 192.0.2.77", "Cannot assign requested address"),
        ("BindAddress nowhere.invalid", "Name or service not known"),
        ("BindInterface none7", "No such device"),
    ],
)
def test_what_cannot_be_called_from_is_named(server: Sshd, laptop: Laptop, keyword: str, why: str) -> None:
    laptop.host("from", server, keyword)
    failure = failed(run(laptop.dial("from"), sh("true")), FailureKind.UNREACHABLE)
    assert failure.message == f"{server.address}:{server.port} cannot be connected to from {keyword}: {why}"
    assert failure.fix == f"check {keyword.split(maxsplit=1)[0]} in ~/.ssh/config"


def test_a_connection_that_a_proxy_command_hands_over_is_used(server: Sshd, laptop: Laptop) -> None:
    command = f"ProxyCommand {program(laptop, 'hands', HANDS_OVER)} %h %p"
    laptop.host("handed", server, command, "ProxyUseFdpass yes")
    assert run(laptop.dial("handed"), sh("echo in")) == IN


def test_a_proxy_command_that_hands_nothing_over_is_told(server: Sshd, laptop: Laptop) -> None:
    laptop.host("handed", server, "ProxyCommand sh -c 'echo no way >&2; exit 1'", "ProxyUseFdpass yes")
    failure = failed(run(laptop.dial("handed"), sh("true")), FailureKind.UNREACHABLE)
    assert failure.message.endswith("cannot be reached: its ProxyCommand ended with exit code 1: no way")


def test_the_last_words_of_a_proxy_command_are_shown(server: Sshd, laptop: Laptop) -> None:
    script = 'yes noise | head -n 3000 >&2; echo "An error occurred (ExpiredTokenException)" >&2; exit 254'
    laptop.host("aws", server, f"ProxyCommand sh -c {shlex.quote(script)}")
    failure = failed(run(laptop.dial("aws"), sh("true")), FailureKind.UNREACHABLE)
    assert failure.message == (
        f"{server.address}:{server.port} cannot be reached: its ProxyCommand ended with exit code 254: "
        "An error occurred (ExpiredTokenException)"
    )
    assert failure.detail.startswith(f"ProxyCommand sh -c {shlex.quote(script)}\nnoise\n")
    assert len(failure.detail.splitlines()) < 30


def test_a_password_in_a_proxy_command_or_in_what_it_says_is_shown_to_nobody(
    server: Sshd, laptop: Laptop
) -> None:
    script = 'echo "cannot reach http://ana:s3cret@proxy:8080" >&2; exit 3; nc -x ana:s3cret@proxy:3128'
    laptop.host("secret", server, f"ProxyCommand sh -c {shlex.quote(script)}")
    failure = failed(run(laptop.dial("secret"), sh("true")), FailureKind.UNREACHABLE)
    assert failure.message.endswith(": cannot reach http://ana:<hidden>@proxy:8080")
    assert "nc -x ana:<hidden>@proxy:3128" in failure.detail
    assert "s3cret" not in repr(failure)


def test_a_proxy_command_that_is_not_there_is_to_be_installed(server: Sshd, laptop: Laptop) -> None:
    laptop.host("flared", server, "ProxyCommand cloudflared-x access ssh --hostname %h")
    failure = failed(run(laptop.dial("flared"), sh("true")), FailureKind.UNREACHABLE)
    assert "ended with exit code 127: " in failure.message
    assert failure.message.endswith("not found")
    assert failure.fix == "install that command where the ProxyCommand runs it, or put it on PATH there"
    assert failure.detail.startswith(f"ProxyCommand cloudflared-x access ssh --hostname {server.address}\n")


@pytest.mark.parametrize(
    ("before", "fix"),
    [("exec ", "take its `exec` away"), ("TEAM=s3cret ", "write ProxyCommand env TEAM=… in")],
)
def test_a_proxy_command_that_begins_with_no_program_is_told_how_to(
    server: Sshd, laptop: Laptop, before: str, fix: str
) -> None:
    laptop.host("gpu", server, f"ProxyCommand {before}true")
    assert "not found" in laptop.ssh("gpu").stderr
    failure = failed(run(laptop.dial("gpu"), sh("true")), FailureKind.UNREACHABLE)
    assert failure.fix.startswith(fix)


def test_a_shell_that_cannot_run_the_proxy_command_is_told(
    server: Sshd, laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop.host("gone", server, "ProxyCommand nc %h %p")
    monkeypatch.setenv("SHELL", "/no/such")
    failure = failed(run(laptop.dial("gone"), sh("true")), FailureKind.UNREACHABLE)
    assert failure.message.endswith(
        "cannot be reached: its ProxyCommand cannot be run with $SHELL, /no/such: No such file or directory"
    )


def test_a_server_that_hangs_up_behind_a_proxy_command_is_not_the_commands_failure(
    server: Sshd, laptop: Laptop
) -> None:
    laptop.host("quiet", server, "ProxyCommand sh -c 'echo by the way >&2; echo SSH-2.0-busy'")
    failure = failed(run(laptop.dial("quiet"), sh("true")), FailureKind.UNREACHABLE)
    assert failure.message == f"{server.address}:{server.port} closes the connection before the login"
    assert failure.detail == "ProxyCommand sh -c 'echo by the way >&2; echo SSH-2.0-busy'\nby the way"


def test_a_proxy_command_that_ends_well_before_any_server_speaks_is_named(
    server: Sshd, laptop: Laptop
) -> None:
    laptop.host("ended", server, "ProxyCommand sh -c 'echo logged in as ana >&2'")
    failure = failed(run(laptop.dial("ended"), sh("true")), FailureKind.UNREACHABLE)
    assert failure.message.endswith(
        " cannot be reached: its ProxyCommand ended with exit code 0: logged in as ana"
    )
    assert failure.fix.endswith(" should come of: sh -c 'echo logged in as ana >&2'")


def test_a_proxy_command_that_fails_while_the_server_speaks_is_told(server: Sshd, laptop: Laptop) -> None:
    laptop.host("cut", server, "ProxyCommand sh -c 'echo SSH-2.0-x; echo token expired >&2; exit 3'")
    failure = failed(run(laptop.dial("cut"), sh("true")), FailureKind.UNREACHABLE)
    assert failure.message.endswith("its ProxyCommand ended with exit code 3: token expired")


def test_a_proxy_command_may_say_why_where_the_connection_would_be(server: Sshd, laptop: Laptop) -> None:
    laptop.host("out", server, "ProxyCommand sh -c 'echo no session; exit 3'")
    failure = failed(run(laptop.dial("out"), sh("true")), FailureKind.UNREACHABLE)
    assert failure.message.endswith("its ProxyCommand ended with exit code 3: no session")


def test_what_a_proxy_command_said_of_its_end_stands_below_a_lost_connection(
    server: Sshd, laptop: Laptop
) -> None:
    script = f"{program(laptop, 'relay', RELAYS)} %h %p; echo session expired >&2"
    laptop.host("ended", server, f"ProxyCommand sh -c {shlex.quote(script)}")
    gpu1 = laptop.dial("ended")
    ended = gpu1.stream(sh("echo begun; cat"), lambda _: server.drop(), timeout=SOON, cancel=Event())
    failure = failed(ended, FailureKind.UNREACHABLE)
    assert failure.message == f"the connection to {server.address}:{server.port} was lost"
    assert failure.detail.splitlines()[-1] == "session expired"


def slowly(laptop: Laptop, server: Sshd, *options: str) -> Path:
    """A host whose ProxyCommand says something, and goes on once the file that is returned is there."""
    gate = laptop.home / "gate"
    script = f"echo wait >&2; while ! [ -e {gate} ]; do sleep 0.01; done; exec {program(laptop, 'relay', RELAYS)} %h %p"
    laptop.host("slow", server, f"ProxyCommand sh -c {shlex.quote(script)}", *options)
    return gate


def test_a_proxy_command_that_takes_its_time_is_told_apart_from_a_silent_host(
    server: Sshd, laptop: Laptop
) -> None:
    slowly(laptop, server)
    refused = laptop.dial("slow", Ssh(connect_timeout=0.5)).open(cancel=Event())
    assert refused
    assert refused.message == (
        f"{server.address}:{server.port} is not reached: its ProxyCommand has not answered in 0.5 s"
    )
    assert refused.fix == "give it longer: ssh.connect_timeout, such as 1, or ConnectTimeout in ~/.ssh/config"
    assert refused.detail.splitlines()[-1] == "wait"


def test_the_configs_own_connect_timeout_holds_unless_the_inventory_has_one(
    server: Sshd, laptop: Laptop
) -> None:
    gate = slowly(laptop, server, "ConnectTimeout 1")
    refused = laptop.dial("slow").open(cancel=Event())
    assert refused
    assert refused.message.endswith("has not answered in 1 s")
    gate.touch()
    assert run(laptop.dial("slow", Ssh(connect_timeout=SOON)), sh("echo in")) == IN
