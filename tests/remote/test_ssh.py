"""Commands on real OpenSSH servers."""

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.model.secret import Secret
from orchestrator.plan.command import Command
from orchestrator.remote.ssh import SshTransport
from orchestrator.remote.transport import Failure, FailureKind, Output

from .conftest import Start
from .fakes import SOON, reached
from .sshd import Laptop, Sshd, failed, run, sh

pytestmark = pytest.mark.sshd


@pytest.fixture
def gpu1(server: Sshd, laptop: Laptop) -> SshTransport:  # noqa: ARG001 - it is there
    return laptop.dial("gpu1")


def test_a_command_tells_its_exit_code_and_both_outputs(gpu1: SshTransport) -> None:
    assert run(gpu1, sh("echo out; echo err >&2; exit 7")) == Output(7, "out\n", "err\n")


def test_arguments_arrive_as_they_are(gpu1: SshTransport) -> None:
    awkward = ("a b", "$HOME", "it's", "", "*", "\n", "größe 日本 🚀")
    shown = run(gpu1, Command(("printf", "%s\\0", *awkward)))
    assert shown == Output(0, "".join(f"{word}\0" for word in awkward))


def test_a_secret_travels_on_standard_input(gpu1: SshTransport) -> None:
    assert run(gpu1, sh("cat", "TOKEN=", Secret("TOKEN", "s3cret"), "\n")) == Output(0, "TOKEN=s3cret\n")


def test_standard_input_ends_for_a_command_that_is_given_none(gpu1: SshTransport) -> None:
    assert run(gpu1, Command(("cat",))) == Output(0)


def test_bytes_that_are_no_text_are_replaced(gpu1: SshTransport) -> None:
    assert run(gpu1, sh(r"printf 'a\377b'")) == Output(0, "a\N{REPLACEMENT CHARACTER}b")


def test_much_goes_in_and_out_at_the_same_time(gpu1: SshTransport) -> None:
    sent = "0123456789abcde\n" * (5 << 16)
    ended = run(gpu1, sh("tee /dev/fd/3 3>&1 | tee /dev/fd/3 3>&1", sent), timeout=60)
    assert isinstance(ended, Output), ended
    assert len(ended.stdout) == 4 * len(sent)


def test_a_command_may_leave_its_input_unread(gpu1: SshTransport) -> None:
    assert run(gpu1, sh("echo enough", "x" * (5 << 20))) == Output(0, "enough\n")


def test_a_command_may_go_on_after_closing_its_output(gpu1: SshTransport, tmp_path: Path) -> None:
    gate = fifo(tmp_path / "gate")
    with ThreadPoolExecutor() as pool:
        ended = pool.submit(run, gpu1, sh(f"exec >&- 2>&-; read go < {gate}; exit 3"))
        gate.write_text("go\n")
        assert ended.result() == Output(3)


def test_a_command_killed_by_a_signal_is_no_success(gpu1: SshTransport) -> None:
    failure = failed(run(gpu1, sh("echo last words >&2; kill -9 $$")), FailureKind.EXIT)
    assert "killed by a signal" in failure.message
    assert failure.detail == "last words"


def test_a_command_that_takes_too_long_is_a_timeout(gpu1: SshTransport) -> None:
    failure = failed(run(gpu1, sh("echo begun >&2; cat; sleep 60"), timeout=0.5), FailureKind.TIMEOUT)
    assert failure.message == "no answer within 0.5 s"
    assert failure.detail == "begun"


def test_a_command_can_be_cancelled(gpu1: SshTransport) -> None:
    cancel = Event()
    ended = gpu1.stream(sh("echo begun; cat"), lambda _: cancel.set(), timeout=60, cancel=cancel)
    failed(ended, FailureKind.CANCELLED)


def test_a_command_that_never_stops_talking_can_be_ended(gpu1: SshTransport) -> None:
    failed(gpu1.stream(Command(("yes",)), lambda _: None, timeout=0.5, cancel=Event()), FailureKind.TIMEOUT)


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


def test_connecting_can_be_cancelled(laptop: Laptop, silence: int) -> None:
    laptop.config.write_text(f"Host gpu1\n HostName 127.0.0.2\n Port {silence}\n")
    cancel = Event()
    cancel.set()
    failed(laptop.dial("gpu1").run(sh("true"), timeout=60, cancel=cancel), FailureKind.CANCELLED)


def test_a_stream_hands_on_lines_as_they_come(gpu1: SshTransport, tmp_path: Path) -> None:
    gate = fifo(tmp_path / "gate")
    heard: list[str] = []

    def tell(line: str) -> None:
        heard.append(line)
        if line == "first":  # the second line cannot be there before this has been said
            gate.write_text("go\n")

    ended = gpu1.stream(
        sh(f"echo first; read go < {gate}; printf 'zwe'; printf 'ite\\n\\nend'; exit 4"),
        tell,
        timeout=30,
        cancel=Event(),
    )
    assert ended == Output(4)
    assert heard == ["first", "zweite", "", "end"]


def test_a_stream_holds_standard_input_open_until_it_ends(gpu1: SshTransport, tmp_path: Path) -> None:
    over = fifo(tmp_path / "over")
    cancel = Event()
    watcher = sh(f"read name; echo hello $name; cat; echo over > {over}", "gpu1\n")
    heard: list[str] = []

    def tell(line: str) -> None:
        heard.append(line)
        cancel.set()

    failed(gpu1.stream(watcher, tell, timeout=30, cancel=cancel), FailureKind.CANCELLED)
    assert heard == ["hello gpu1"]
    assert over.read_text() == "over\n"


class Piping:
    """A pipe whose end a test writes to, and what comes back."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.heard, self.complained, self.some = bytearray(), bytearray(), Event()

    def run(self, host: SshTransport, *argv: str, cancel: Event | None = None) -> Output | Failure:
        return host.pipe(
            Command(argv),
            self.read_end,
            self._hear,
            self.complained.extend,
            timeout=SOON,
            cancel=cancel or Event(),
        )

    def _hear(self, heard: bytes) -> None:
        self.heard += heard
        self.some.set()

    def end(self) -> None:
        os.close(self.write_end)


@pytest.fixture
def piping() -> Iterator[Piping]:
    piping = Piping()
    yield piping
    os.close(piping.read_end)


def test_a_pipe_carries_bytes_as_they_come_in_both_directions(gpu1: SshTransport, piping: Piping) -> None:
    with ThreadPoolExecutor() as pool:
        ended = pool.submit(piping.run, gpu1, "sh", "-c", "cat; echo over >&2; exit 3")
        os.write(piping.write_end, b"\xff\0half a")
        assert reached(piping.some)
        os.write(piping.write_end, b" line")
        piping.end()
        assert ended.result(SOON) == Output(3, stderr="over\n")
    assert (bytes(piping.heard), bytes(piping.complained)) == (b"\xff\0half a line", b"over\n")


def test_a_pipe_carries_much(gpu1: SshTransport, piping: Piping) -> None:
    much = os.urandom(1 << 24)

    def write() -> None:
        with os.fdopen(piping.write_end, "wb") as end:
            end.write(much)

    with ThreadPoolExecutor() as pool:
        pool.submit(write)
        assert piping.run(gpu1, "cat") == Output(0)
    assert bytes(piping.heard) == much


def test_a_pipe_whose_command_wants_no_more_is_over(gpu1: SshTransport, piping: Piping) -> None:
    assert piping.run(gpu1, "head", "-c", "0") == Output(0)
    piping.end()


def test_a_pipe_from_what_cannot_be_read_has_nothing_in_it(
    gpu1: SshTransport, piping: Piping, tmp_path: Path
) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    os.dup2(folder, piping.read_end)
    assert piping.run(gpu1, "cat") == Output(0)
    os.close(folder)
    piping.end()


def test_a_pipe_can_be_cancelled(gpu1: SshTransport, piping: Piping) -> None:
    cancel = Event()
    with ThreadPoolExecutor() as pool:
        ended = pool.submit(piping.run, gpu1, "sh", "-c", "echo ready; exec cat", cancel=cancel)
        assert reached(piping.some)
        cancel.set()
        failure = ended.result(SOON)
    assert isinstance(failure, Failure)
    assert failure.kind is FailureKind.CANCELLED
    piping.end()


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
    gpu1 = laptop.dial("gpu1", Ssh(connect_timeout=1))
    assert run(gpu1, sh("echo in")) == Output(0, "in\n")
    for session in server.sessions():
        os.kill(session, signal.SIGSTOP)
    failure = failed(run(gpu1, sh("true")), FailureKind.UNREACHABLE)
    assert failure.message == f"{server.address}:{server.port} does not answer any more"


def test_a_host_that_opens_no_more_sessions_says_so(laptop: Laptop, start: Start) -> None:
    server = start("127.0.0.2", "MaxSessions 1")
    laptop.host("gpu1", server)
    laptop.knows(server)
    gpu1 = laptop.dial("gpu1", Ssh(connect_timeout=0.5))
    failures: list[Output | Failure] = []

    def tell(_: str) -> None:
        failures.append(run(gpu1, sh("true")))
        gpu1.close()

    gpu1.stream(sh("echo begun; cat"), tell, timeout=30, cancel=Event())
    assert "MaxSessions" in failed(failures[0], FailureKind.UNREACHABLE).fix


def test_closing_ends_commands_and_may_be_repeated(gpu1: SshTransport) -> None:
    ended = gpu1.stream(sh("echo begun; cat"), lambda _: gpu1.close(), timeout=60, cancel=Event())
    failed(ended, FailureKind.CANCELLED)
    gpu1.close()
    failed(run(gpu1, sh("true")), FailureKind.CANCELLED)


def test_closing_a_transport_that_never_opened_does_nothing(laptop: Laptop) -> None:
    laptop.dial("gpu1").close()


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
    assert failure.message == f"127.0.0.2:{silence} takes the call, but says nothing"


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


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


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
