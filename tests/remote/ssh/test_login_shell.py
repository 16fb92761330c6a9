"""Accounts as people have them, on real OpenSSH servers: any login shell, any greeting, none that runs commands.

A forced command stands in for the login shell: sshd hands it the very line that the shell would be given.
"""

import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from orchestrator.plan import lock
from orchestrator.plan.command import Command, Script
from orchestrator.remote.execute.lock import Lock
from orchestrator.remote.ssh.login_shell import END, MARK, BetweenMarks
from orchestrator.remote.ssh.transport import SshTransport
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.plan.worlds import cluster
from tests.remote.conftest import Start
from tests.remote.sshd import ME, Laptop, failed, run, sh

pytestmark = pytest.mark.sshd

SHELLS = ("bash", "dash", "zsh", "ksh", "fish", "tcsh", "busybox ash")
WORDS = (
    *(
        "a!b",
        "!!",
        "!1",
        "^x^y",
        "a\\\\b",
        "ends in \\",
        "it's",
        'say "x"',
        "$HOME",
        "`id`",
        "$(id)",
        "%s%d",
        "%",
    ),
    *(
        "",
        "two\nlines",
        "\n",
        "tab\t",
        "ü€😀",
        "\x1b[0m",
        "*",
        "~",
        "{a,b}",
        "a;b",
        "#c",
        "<x",
        ">y",
        "|",
        "&",
    ),
    *("\\n", "-x", "\udcff"),  # the last a byte that is no character
)
COMMANDS = {
    "a program": Command(("printf", "%s\\0", *WORDS)),
    "a script of ours": Script("test", '\nprintf "%s\\0" "$@"  # it\'s done!\n').command(*WORDS),
    "another shell's script": Script("test", 'printf "%s\\0" "$@"').command(*WORDS, interpreter="bash"),
}
GREETINGS = {
    "a line": "echo Welcome",
    "no newline": 'printf "\\033]0;gpu1\\007"',
    "both streams": "echo Welcome; echo warning >&2; printf more >&2",
    "a long one": "seq 20000",
    "one word of ours": "printf held",
}
COUNTS = Command(("bash", "-c", "echo out; echo err >&2; exit 3"))
"""Not a script of ours, so sh runs it as another program."""
IN_TURN = 'sh -c "$SSH_ORIGINAL_COMMAND"'


@pytest.fixture
def account(start: Start, laptop: Laptop, tmp_path: Path) -> Callable[[str], SshTransport]:
    """A host where this shell code is all that a login runs, in a home of its own."""
    home = tmp_path / "home"
    home.mkdir()

    def account(forced: str) -> SshTransport:
        server = start("127.0.0.2", f"SetEnv SHLVL=2 HOME={home}", f"ForceCommand {forced}")
        laptop.host("gpu1", server)
        laptop.knows(server)
        return laptop.dial("gpu1")

    return account


Account = Callable[[str], SshTransport]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("shell", SHELLS)
def test_whatever_the_login_shell_each_word_arrives_byte_for_byte(
    account: Account, shell: str, command: Command
) -> None:
    if not shutil.which(shell.split(maxsplit=1)[0]):
        pytest.skip(f"there is no {shell} here")
    ended = piped(account(f'{shell} -c "$SSH_ORIGINAL_COMMAND"'), command)
    assert ended == (0, b"".join(os.fsencode(word) + b"\0" for word in WORDS), b"")


@pytest.mark.parametrize("greeting", GREETINGS.values(), ids=GREETINGS)
def test_what_a_host_says_before_a_command_is_not_the_commands(account: Account, greeting: str) -> None:
    gpu1 = account(f"{greeting}; {IN_TURN}")
    says = sh("echo out; echo err >&2; exit 3")
    lines: list[str] = []
    assert run(gpu1, says) == Output(3, "out\n", "err\n")
    assert gpu1.stream(says, lines.append, timeout=30, cancel=Event()) == Output(3, stderr="err\n")
    assert lines == ["out"]
    assert piped(gpu1, says) == (3, b"out\n", b"err\n")


FAREWELLS = {
    "a line": "echo bye",
    "no newline": "printf bye",
    "both streams": "echo bye; echo warning >&2",
    "one word of ours": 'printf "\\036raycluster"',
}


@pytest.mark.parametrize("farewell", FAREWELLS.values(), ids=FAREWELLS)
@pytest.mark.parametrize("shell", ["sh", "bash", "zsh"])
def test_what_a_login_shell_says_after_a_command_is_not_the_commands(
    account: Account, shell: str, farewell: str
) -> None:
    gpu1 = account(f'trap {shlex.quote(farewell)} EXIT; {shell} -c "$SSH_ORIGINAL_COMMAND"')
    for says in (sh("echo out; echo err >&2; exit 3"), COUNTS):
        lines: list[str] = []
        assert run(gpu1, says) == Output(3, "out\n", "err\n")
        assert gpu1.stream(says, lines.append, timeout=30, cancel=Event()) == Output(3, stderr="err\n")
        assert lines == ["out"]
        assert piped(gpu1, says) == (3, b"out\n", b"err\n")


def test_another_program_that_a_signal_kills_has_the_exit_code_that_a_shell_gives_it(
    account: Account,
) -> None:
    ended = run(account(IN_TURN), sh("echo last words >&2; kill -9 $$"))
    assert isinstance(ended, Output)
    assert (ended.exit_code, ended.stderr.splitlines()[0]) == (137, "last words")


def test_what_a_script_has_begun_and_not_waited_for_is_heard_by_exec(account: Account) -> None:
    gpu1 = account(IN_TURN)
    late = sh("(sleep 0.2; echo late) & echo now")
    assert piped(gpu1, late, to_the_end=True) == (0, b"now\nlate\n", b"")


def test_a_mark_among_a_commands_own_words_ends_it_only_where_it_is_the_last(account: Account) -> None:
    gpu1 = account(f"trap 'echo bye' EXIT; {IN_TURN}")
    mark = END.decode()
    assert run(gpu1, sh(f"printf %s {shlex.quote(mark)}; echo more")) == Output(0, f"{mark}more\n", "")


def test_what_comes_in_pieces_is_passed_on_as_soon_as_it_is_no_mark() -> None:
    for size in range(1, 9):
        got = bytearray()
        stream = BetweenMarks(got.extend, MARK, END)
        words = b"hi" + MARK + b"a\x1eb\x1erayc" + END + b"bye"
        for start in range(0, len(words), size):
            stream.receive(words[start : start + size])
        assert bytes(got) == b"a\x1eb\x1erayc"
        stream.end()
        assert bytes(got) == b"a\x1eb\x1erayc"
    for begun in (b"\x1e", END[:-1], END + b"x" * 20_000):
        got = bytearray()
        stream = BetweenMarks(got.extend, MARK, END)
        stream.receive(MARK + begun)
        stream.end()
        assert bytes(got) == begun


@pytest.mark.parametrize(
    "merged", [f"exec 2>&1; {IN_TURN}", f"({IN_TURN}) 2>&1 | cat"], ids=["start-up file", "recorder"]
)
@pytest.mark.parametrize("farewell", ["", "trap 'echo bye' EXIT; "])
def test_streams_that_a_host_makes_one_have_no_word_of_ours(
    account: Account, merged: str, farewell: str
) -> None:
    gpu1, says = account(f"{farewell}echo Welcome; {merged}"), sh("printf out; printf err >&2")
    assert piped(gpu1, says) == (0, b"outerr", b"")
    assert run(gpu1, says) == Output(0, "outerr", "")


def test_a_greeting_is_not_said_again_by_a_bash_that_we_run(account: Account, tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("printf hello")
    gpu1 = account(f'env -u SHLVL HOME={tmp_path} bash -c "$SSH_ORIGINAL_COMMAND"')
    ours = Script("test", "echo ours; bash -c 'echo and its'").command(interpreter="bash")
    assert piped(gpu1, ours) == (0, b"ours\nand its\n", b"")
    assert piped(gpu1, sh("bash -c 'echo ours'")) == (0, b"ours\n", b"")


@pytest.mark.parametrize("greeting", GREETINGS.values(), ids=GREETINGS)
def test_a_host_that_greets_has_a_lock_as_any_other(account: Account, greeting: str) -> None:
    gpu1, cluster_ = account(f"{greeting}; {IN_TURN}"), cluster()
    held = Lock(gpu1, lock.hold(cluster_, "ana@laptop", "up"), print)
    assert run(gpu1, lock.ask(cluster_)) == Output(0)
    assert held.take(Event(), 10) is held
    told = run(gpu1, lock.ask(cluster_))
    assert isinstance(told, Output)
    assert (holder := lock.parse(told.stdout))
    assert (holder.by, holder.command) == ("ana@laptop", "up")
    held.free()


REFUSALS = {
    'echo "Please login as the user \\"ubuntu\\" rather than the user \\"root\\"."; echo; exit 142': (
        'Please login as the user "ubuntu" rather than the user "root".',
        "ssh: {user: ubuntu}",
    ),
    "echo This account is currently not available. >&2; exit 1": (
        "This account is currently not available.",
        "ssh: {user: …}",
    ),
    "echo This service allows sftp connections only.; exit 1": (
        "This service allows sftp connections only.",
        "internal-sftp",
    ),
    "echo WARNING: Your password has expired. >&2; echo Password change required but no TTY available. >&2; exit 1": (
        "Password change required but no TTY available.",
        "set a new password there: ssh -p",
    ),
    "echo backup done": ("backup done", "ForceCommand"),
    "exit 7": ("it says nothing, and ends with exit code 7", "sh -c date"),
}


@pytest.mark.parametrize("forced", REFUSALS)
def test_an_account_that_runs_no_commands_is_told_in_its_own_words(account: Account, forced: str) -> None:
    gpu1 = account(forced)
    says, fix = REFUSALS[forced]
    failure = failed(run(gpu1, sh("echo out")), FailureKind.ACCOUNT)
    assert failure.message.startswith(f"{ME}@127.0.0.2:")
    assert failure.message.endswith(f" runs no commands: {says}")
    assert fix in failure.fix
    assert Lock(gpu1, lock.hold(cluster(), "ana@laptop", "up"), print).take(Event(), 10) == failure


@pytest.mark.parametrize("shell", SHELLS)
def test_a_start_up_file_that_takes_sh_from_path_is_named(account: Account, shell: str) -> None:
    name, *words = shell.split()
    if not (path := shutil.which(name)):
        pytest.skip(f"there is no {shell} here")
    gpu1 = account(f'PATH=/opt {" ".join([path, *words])} -c "$SSH_ORIGINAL_COMMAND"')
    assert "take /bin from PATH" in failed(run(gpu1, sh("true")), FailureKind.ACCOUNT).fix


def test_a_start_up_file_that_never_ends_is_given_up_with_what_it_said(account: Account) -> None:
    gpu1 = account("echo Which project?; sleep 60")
    assert failed(run(gpu1, sh("true"), timeout=2), FailureKind.TIMEOUT).detail == "Which project?"
    failure = Lock(gpu1, lock.hold(cluster(), "ana@laptop", "up"), print).take(Event(), 2)
    assert isinstance(failure, Failure)
    assert failure.message == "the cluster's lock: no answer within 2 s"
    assert failure.detail == "Which project?"
    assert "~/.bashrc" in failure.fix


def test_a_greeting_without_end_fills_no_memory(account: Account) -> None:
    failure = failed(run(account("yes"), sh("true"), timeout=1), FailureKind.TIMEOUT)
    assert set(failure.detail.splitlines()) == {"y"}


def piped(transport: SshTransport, command: Command, *, to_the_end: bool = False) -> tuple[int, bytes, bytes]:
    """The exit code and both streams, byte for byte."""
    out, err = bytearray(), bytearray()
    reader, writer = os.pipe()
    os.close(writer)
    try:
        ended = transport.pipe(
            command, reader, out.extend, err.extend, timeout=30, cancel=Event(), to_the_end=to_the_end
        )
    finally:
        os.close(reader)
    assert isinstance(ended, Output), ended
    return ended.exit_code, bytes(out), bytes(err)
