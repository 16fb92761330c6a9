"""Commands on real OpenSSH servers."""

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Event, Thread
from time import monotonic

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.remote.ssh.transport import SshTransport
from orchestrator.remote.timeouts import Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output, PollableEvent
from tests.remote.conftest import Start
from tests.remote.fakes import SOON
from tests.remote.sshd import Laptop, Sshd, failed, run, sh

pytestmark = pytest.mark.sshd


@pytest.fixture
def gpu1(server: Sshd, laptop: Laptop) -> SshTransport:  # noqa: ARG001 - it is there
    return laptop.dial("gpu1")


def test_what_a_listener_raises_comes_back_and_the_connection_lasts(server: Sshd, gpu1: SshTransport) -> None:
    def tell(_: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        gpu1.stream(sh("echo begun; cat", "input"), tell, timeout=30, cancel=Event())
    assert run(gpu1, sh("echo in")) == Output(0, "in\n")
    assert server.log().count("Accepted publickey") == 1


def test_commands_that_are_left_while_they_still_speak_never_take_the_connection_along(
    server: Sshd, gpu1: SshTransport
) -> None:
    """Two in a hundred did, by a race in paramiko."""

    def enough(_: str) -> None:
        raise BrokenPipeError

    for _ in range(150):
        with pytest.raises(BrokenPipeError):
            gpu1.stream(sh("seq 9; cat", "input"), enough, timeout=30, cancel=Event())
    assert server.log().count("Accepted publickey") == 1


def test_connecting_can_be_cancelled(laptop: Laptop) -> None:
    with socket.create_server(("127.0.0.2", 0)) as listener, ThreadPoolExecutor() as pool:
        listener.settimeout(SOON)
        laptop.config.write_text(f"Host gpu1\n HostName 127.0.0.2\n Port {listener.getsockname()[1]}\n")
        cancel = Event()
        gpu1 = laptop.dial("gpu1", Ssh(connect_timeout=2 * SOON))
        ended = pool.submit(gpu1.run, sh("true"), timeout=60, cancel=cancel)
        caller, _ = listener.accept()
        cancel.set()
        failure = failed(ended.result(SOON), FailureKind.CANCELLED)
        assert failure.message == "cancelled while connecting to gpu1"
        caller.close()


def test_many_commands_share_one_connection(server: Sshd, laptop: Laptop) -> None:
    gpu1 = laptop.dial("gpu1")
    with ThreadPoolExecutor(30) as pool:
        ended = list(pool.map(lambda n: run(gpu1, sh(f"echo {n}; exit {n}")), range(30)))
    assert ended == [Output(n, f"{n}\n") for n in range(30)]
    assert server.log().count("Accepted publickey") == 1


def test_commands_take_turns_where_the_host_allows_few_at_once(laptop: Laptop, start: Start) -> None:
    server = start("127.0.0.2", "MaxSessions 2")
    laptop.host("gpu1", server)
    laptop.knows(server)
    gpu1 = laptop.dial("gpu1")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: run(gpu1, sh("echo in")), range(8))) == {Output(0, "in\n")}


def test_a_connection_that_drops_is_told_at_once_and_opened_again(server: Sshd, gpu1: SshTransport) -> None:
    ended = gpu1.stream(sh("echo begun; cat"), lambda _: server.drop(), timeout=60, cancel=Event())
    assert "was lost" in failed(ended, FailureKind.UNREACHABLE).message
    assert run(gpu1, sh("echo again")) == Output(0, "again\n")


def test_a_host_that_hangs_is_given_up(server: Sshd, laptop: Laptop) -> None:
    gpu1 = laptop.dial("gpu1", Ssh(connect_timeout=3))
    assert run(gpu1, sh("echo in")) == Output(0, "in\n")
    hang(server)
    failure = failed(run(gpu1, sh("true")), FailureKind.UNREACHABLE)
    assert failure.message == f"{server.address}:{server.port} does not answer any more"


IMPATIENT = Timeouts(keepalive=0.2, unanswered=1)


@pytest.fixture
def gpu(laptop: Laptop, start: Start) -> Sshd:
    """A host, and `bastion`, a jump host on the way to it."""
    bastion, gpu = start("127.0.0.2"), start("127.0.0.3")
    laptop.host("bastion", bastion)
    laptop.host("gpu", gpu)
    laptop.knows(bastion, gpu)
    return gpu


def hang(server: Sshd) -> None:
    """Its kernel still takes what is sent; nobody reads it."""
    for session in server.sessions():
        os.kill(session, signal.SIGSTOP)


@pytest.mark.parametrize("jump", [None, "bastion"], ids=["direct", "behind a jump host"])
def test_a_command_whose_host_hangs_ends_once_no_sign_of_life_came(
    laptop: Laptop, gpu: Sshd, jump: str | None
) -> None:
    dialled = laptop.dial("gpu", Ssh(jump=jump), timeouts=IMPATIENT)
    ended = dialled.stream(sh("echo begun; cat"), lambda _: hang(gpu), timeout=60, cancel=Event())
    assert "was lost" in failed(ended, FailureKind.UNREACHABLE).message


def test_a_host_is_missed_though_its_command_is_sent_heartbeats(laptop: Laptop, gpu: Sshd) -> None:
    """paramiko takes whatever it sends for a reason to ask for nothing; and a jump host takes it all."""
    timeouts = replace(IMPATIENT, heartbeat=0.1, poll=0.05)
    dialled = laptop.dial("gpu", Ssh(jump="bastion"), timeouts=timeouts)
    ended = dialled.stream(sh("echo begun; cat"), lambda _: hang(gpu), timeout=20, cancel=Event())
    assert "was lost" in failed(ended, FailureKind.UNREACHABLE).message


def test_a_host_that_takes_no_more_of_what_is_sent_to_it_behind_a_jump_host_ends_it_as_well(
    laptop: Laptop, gpu: Sshd
) -> None:
    dialled = laptop.dial("gpu", Ssh(jump="bastion"), timeouts=IMPATIENT)
    assert run(dialled, sh("true")) == Output(0, "")
    hang(gpu)
    ended = run(dialled, sh("cat >/dev/null", "x" * 10_000_000))
    assert "was lost" in failed(ended, FailureKind.UNREACHABLE).message


def test_a_command_that_says_nothing_for_long_goes_on_while_its_host_gives_signs_of_life(
    server: Sshd,  # noqa: ARG001 - it is there
    laptop: Laptop,
) -> None:
    gpu1 = laptop.dial("gpu1", timeouts=IMPATIENT)
    assert run(gpu1, sh("sleep 2.5; echo done")) == Output(0, "done\n")


def test_a_host_that_allows_one_session_at_a_time_gets_further_connections(
    laptop: Laptop, start: Start
) -> None:
    server = start("127.0.0.2", "MaxSessions 1")
    laptop.host("gpu1", server)
    laptop.knows(server)
    gpu1 = laptop.dial("gpu1")
    ended: list[Output | Failure] = []

    def tell(_: str) -> None:
        ended.extend(run(gpu1, sh("echo in")) for _ in range(2))
        gpu1.stream(
            sh("echo within"), lambda _: ended.append(run(gpu1, sh("echo in"))), timeout=30, cancel=Event()
        )
        gpu1.close()

    gpu1.stream(sh("echo begun; cat"), tell, timeout=30, cancel=Event())
    assert ended == [Output(0, "in\n")] * 3
    assert server.log().count("Accepted publickey") == 3
    assert "MaxSessions" in gpu1.login


def test_a_host_that_opens_no_session_at_all_says_so(laptop: Laptop, start: Start) -> None:
    server = start("127.0.0.2", "MaxSessions 0")
    laptop.host("gpu1", server)
    laptop.knows(server)
    gpu1 = laptop.dial("gpu1", Ssh(connect_timeout=4))
    assert "MaxSessions" in failed(run(gpu1, sh("true")), FailureKind.UNREACHABLE).fix


def test_a_transport_that_never_opened_can_be_closed_and_connects_no_more(
    server: Sshd, gpu1: SshTransport
) -> None:
    gpu1.close()
    failed(run(gpu1, sh("true")), FailureKind.CANCELLED)
    assert "Connection from" not in server.log()


def test_a_refusal_is_unreachable(server: Sshd, gpu1: SshTransport) -> None:
    server.stop()
    failure = failed(run(gpu1, sh("true")), FailureKind.UNREACHABLE)
    assert failure.message == f"{server.address}:{server.port} refuses connections"
    server.start()
    assert run(gpu1, sh("echo up")) == Output(0, "up\n")


def test_a_host_that_never_speaks_is_given_up_in_time(laptop: Laptop, silence: int) -> None:
    laptop.config.write_text(f"Host gpu1\n HostName 127.0.0.2\n Port {silence}\n")
    began = monotonic()
    failure = failed(run(laptop.dial("gpu1", Ssh(connect_timeout=1)), sh("true")), FailureKind.UNREACHABLE)
    assert monotonic() - began < 2
    assert failure.message == f"127.0.0.2:{silence} accepts connections, but says nothing"


def test_a_name_that_does_not_resolve_is_unreachable(laptop: Laptop) -> None:
    failure = failed(run(laptop.dial("nowhere.invalid"), sh("true")), FailureKind.UNREACHABLE)
    assert "nowhere.invalid:22 cannot be looked up" in failure.message


def test_a_server_of_something_else_is_unreachable(laptop: Laptop) -> None:
    with socket.create_server(("127.0.0.2", 0)) as listener:
        laptop.config.write_text(f"Host gpu1\n HostName 127.0.0.2\n Port {listener.getsockname()[1]}\n")
        Thread(target=answer, args=(listener, b"SSH-1.5-old\r\n"), daemon=True).start()
        failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.UNREACHABLE)
    assert "does not speak SSH as it should" in failure.message


def test_a_server_too_busy_at_first_is_asked_again(server: Sshd, laptop: Laptop) -> None:
    with socket.create_server(("127.0.0.3", 0)) as busy:
        port = busy.getsockname()[1]
        laptop.host(
            "busy",
            server,
            "HostName 127.0.0.3",
            f"Port {port}",
            f"HostKeyAlias [{server.address}]:{server.port}",
        )
        Thread(target=hang_up_then_pass_on, args=(busy, 2, server), daemon=True).start()
        assert run(laptop.dial("busy"), sh("echo in")) == Output(0, "in\n")


@pytest.fixture
def silence() -> Iterator[int]:
    """A port that takes calls and never says a word."""
    with socket.create_server(("127.0.0.2", 0)) as listener:
        yield listener.getsockname()[1]


def answer(listener: socket.socket, words: bytes) -> None:
    caller, _ = listener.accept()
    with caller:
        caller.sendall(words)
        caller.recv(1024)


def hang_up_then_pass_on(listener: socket.socket, times: int, server: Sshd) -> None:
    for _ in range(times):
        caller, _ = listener.accept()
        caller.sendall(b"Exceeded MaxStartups\r\n")
        caller.close()
    caller, _ = listener.accept()
    onward = socket.create_connection((server.address, server.port))
    Thread(target=pass_on, args=(onward, caller), daemon=True).start()
    pass_on(caller, onward)


def pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while heard := source.recv(65536):
            target.sendall(heard)


@pytest.mark.usefixtures("server")
def test_who_is_told_to_stop_is_heard_at_once(laptop: Laptop) -> None:
    """And not when the clock is looked at again: that would be half a second for each stop."""
    gpu1 = laptop.dial("gpu1", timeouts=Timeouts(poll=SOON))
    stop, begun = PollableEvent(), Event()
    with ThreadPoolExecutor() as pool:
        ended = pool.submit(
            gpu1.stream, sh("echo begun; cat"), lambda _: begun.set(), timeout=SOON, cancel=stop
        )
        assert begun.wait(SOON)
        stop.set()
        assert failed(ended.result(SOON), FailureKind.CANCELLED)
