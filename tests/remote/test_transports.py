"""What every transport does with a command, over a real OpenSSH server and on this machine itself."""

import os
import pwd
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from orchestrator.model.secret import Secret
from orchestrator.plan.command import Command, Script
from orchestrator.remote.local.transport import LocalTransport
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output, PollableEvent, Transport

from .fakes import SOON, reached
from .sshd import Laptop, failed, run, sh


@pytest.fixture
def timeouts() -> Timeouts:
    """A test may have others."""
    return DEFAULT


@pytest.fixture(params=[pytest.param("ssh", marks=pytest.mark.sshd), "local"])
def host(request: pytest.FixtureRequest, timeouts: Timeouts) -> Transport:
    if request.param == "local":
        return LocalTransport(timeouts)
    request.getfixturevalue("server")
    laptop: Laptop = request.getfixturevalue("laptop")
    return laptop.dial("gpu1", timeouts=timeouts)


def test_a_command_tells_its_exit_code_and_both_outputs(host: Transport) -> None:
    assert run(host, sh("echo out; echo err >&2; exit 7")) == Output(7, "out\n", "err\n")


def test_a_program_that_is_not_there_is_the_shells_exit_code_and_words(host: Transport) -> None:
    ended = run(host, Command(("no-docker", "ps")))
    assert isinstance(ended, Output)
    assert (ended.exit_code, ended.stdout) == (127, "")
    assert re.search(r"no-docker: (command )?not found", ended.stderr)


def test_a_command_starts_in_the_users_home(host: Transport) -> None:
    home = pwd.getpwuid(os.geteuid()).pw_dir
    assert run(host, sh('pwd; echo "$HOME"')) == Output(0, f"{home}\n{home}\n")


def test_arguments_arrive_as_they_are(host: Transport) -> None:
    awkward = ("a b", "$HOME", "it's", "", "*", "\n", "größe 日本 🚀")
    shown = run(host, Command(("printf", "%s\\0", *awkward)))
    assert shown == Output(0, "".join(f"{word}\0" for word in awkward))


def test_a_secret_travels_on_standard_input(host: Transport) -> None:
    assert run(host, sh("cat", "TOKEN=", Secret("TOKEN", "s3cret"), "\n")) == Output(0, "TOKEN=s3cret\n")


def test_standard_input_ends_for_a_command_that_is_given_none(host: Transport) -> None:
    assert run(host, Command(("cat",))) == Output(0)


def test_bytes_that_are_no_text_are_replaced(host: Transport) -> None:
    assert run(host, sh(r"printf 'a\377b'")) == Output(0, "a\N{REPLACEMENT CHARACTER}b")


def test_much_goes_in_and_out_at_the_same_time(host: Transport) -> None:
    sent = "0123456789abcde\n" * (5 << 16)
    ended = run(host, sh("tee /dev/fd/3 3>&1 | tee /dev/fd/3 3>&1", sent), timeout=60)
    assert isinstance(ended, Output), ended
    assert len(ended.stdout) == 4 * len(sent)


def test_a_command_may_leave_its_input_unread(host: Transport) -> None:
    assert run(host, sh("echo enough", "x" * (5 << 20))) == Output(0, "enough\n")


def test_a_command_may_go_on_after_closing_its_output(host: Transport, tmp_path: Path) -> None:
    gate = fifo(tmp_path / "gate")
    with ThreadPoolExecutor() as pool:
        ended = pool.submit(run, host, sh(f"exec >&- 2>&-; read go < {gate}; exit 3"))
        gate.write_text("go\n")
        assert ended.result() == Output(3)


def test_a_command_killed_by_a_signal_is_no_success(host: Transport) -> None:
    script = Script("test", "echo last words >&2; kill -9 $$").command()
    failure = failed(run(host, script), FailureKind.EXIT)
    assert "killed by a signal" in failure.message
    assert failure.detail == "last words"


def test_a_command_that_takes_too_long_is_a_timeout(host: Transport) -> None:
    failure = failed(run(host, sh("echo begun >&2; cat; sleep 60"), timeout=0.5), FailureKind.TIMEOUT)
    assert failure.message == "no answer within 0.5 s"
    assert failure.detail == "begun"


def test_a_command_can_be_cancelled(host: Transport) -> None:
    cancel = Event()
    ended = host.stream(sh("echo begun; cat"), lambda _: cancel.set(), timeout=60, cancel=cancel)
    failed(ended, FailureKind.CANCELLED)


def test_a_command_that_never_stops_talking_can_be_ended(host: Transport) -> None:
    failed(host.stream(Command(("yes",)), lambda _: None, timeout=0.5, cancel=Event()), FailureKind.TIMEOUT)


def test_a_stream_hands_on_lines_as_they_come(host: Transport, tmp_path: Path) -> None:
    gate = fifo(tmp_path / "gate")
    heard: list[str] = []

    def tell(line: str) -> None:
        heard.append(line)
        if line == "first":  # the second line cannot be there before this has been said
            gate.write_text("go\n")

    ended = host.stream(
        sh(f"echo first; read go < {gate}; printf 'zwe'; printf 'ite\\n\\nend'; exit 4"),
        tell,
        timeout=30,
        cancel=Event(),
    )
    assert ended == Output(4)
    assert heard == ["first", "zweite", "", "end"]


def test_a_stream_holds_standard_input_open_until_it_ends(host: Transport, tmp_path: Path) -> None:
    over = fifo(tmp_path / "over")
    cancel = Event()
    watcher = sh(f"read name; echo hello $name; cat; echo over > {over}", "gpu1\n")
    heard: list[str] = []

    def tell(line: str) -> None:
        heard.append(line)
        cancel.set()

    failed(host.stream(watcher, tell, timeout=30, cancel=cancel), FailureKind.CANCELLED)
    assert heard == ["hello gpu1"]
    assert over.read_text() == "over\n"


def test_a_streams_input_can_be_ended_and_its_end_waited_for(host: Transport, tmp_path: Path) -> None:
    over, gate = PollableEvent(), fifo(tmp_path / "gate")
    leaves = sh(f"echo begun; cat; echo leaving; read go < {gate}; exit 5")

    def tell(line: str) -> None:
        over.set() if line == "begun" else gate.write_text("go\n")

    assert host.stream(leaves, tell, timeout=30, cancel=Event(), over=over) == Output(5)


def test_a_command_that_outlasts_its_input_can_still_be_cancelled(host: Transport) -> None:
    over, cancel = PollableEvent(), Event()

    def tell(line: str) -> None:
        over.set() if line == "begun" else cancel.set()

    stays = sh("echo begun; cat; echo staying; exec sleep 60")
    failed(host.stream(stays, tell, timeout=30, cancel=cancel, over=over), FailureKind.CANCELLED)


@pytest.mark.parametrize("timeouts", [Timeouts(heartbeat=0.1)])
def test_a_stream_gives_signs_of_life(host: Transport) -> None:
    listener = sh('for _ in 1 2; do read -r line || exit; echo "<$line>"; done')
    heard: list[str] = []
    assert host.stream(listener, heard.append, timeout=SOON, cancel=Event()) == Output(0)
    assert heard == ["<>", "<>"]


class Piping:
    """A pipe whose end a test writes to, and what comes back."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.heard, self.complained, self.some = bytearray(), bytearray(), Event()

    def run(self, host: Transport, *argv: str, cancel: Event | None = None) -> Output | Failure:
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


def test_a_pipe_carries_bytes_as_they_come_in_both_directions(host: Transport, piping: Piping) -> None:
    with ThreadPoolExecutor() as pool:
        ended = pool.submit(piping.run, host, "sh", "-c", "cat; echo over >&2; exit 3")
        os.write(piping.write_end, b"\xff\0half a")
        assert reached(piping.some)
        os.write(piping.write_end, b" line")
        piping.end()
        assert ended.result(SOON) == Output(3, stderr="over\n")
    assert (bytes(piping.heard), bytes(piping.complained)) == (b"\xff\0half a line", b"over\n")


def test_a_pipe_carries_much(host: Transport, piping: Piping) -> None:
    much = os.urandom(1 << 24)

    def write() -> None:
        with os.fdopen(piping.write_end, "wb") as end:
            end.write(much)

    with ThreadPoolExecutor() as pool:
        pool.submit(write)
        assert piping.run(host, "cat") == Output(0)
    assert bytes(piping.heard) == much


def test_a_pipe_whose_command_wants_no_more_is_over(host: Transport, piping: Piping) -> None:
    assert piping.run(host, "head", "-c", "0") == Output(0)
    piping.end()


def test_a_pipe_from_what_cannot_be_read_has_nothing_in_it(
    host: Transport, piping: Piping, tmp_path: Path
) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    os.dup2(folder, piping.read_end)
    assert piping.run(host, "cat") == Output(0)
    os.close(folder)
    piping.end()


def test_a_pipe_can_be_cancelled(host: Transport, piping: Piping) -> None:
    cancel = Event()
    with ThreadPoolExecutor() as pool:
        ended = pool.submit(piping.run, host, "sh", "-c", "echo ready; exec cat", cancel=cancel)
        assert reached(piping.some)
        cancel.set()
        failure = ended.result(SOON)
    assert isinstance(failure, Failure)
    assert failure.kind is FailureKind.CANCELLED
    piping.end()


def test_closing_ends_commands_and_may_be_repeated(host: Transport) -> None:
    ended = host.stream(sh("echo begun; cat"), lambda _: host.close(), timeout=60, cancel=Event())
    failed(ended, FailureKind.CANCELLED)
    host.close()
    failed(run(host, sh("true")), FailureKind.CANCELLED)


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path
