"""A person's terminal on the laptop, in tmux: what they type, and what they see."""

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .lab import Lab
from .processes import CHECKOUT, run, wait_until

PROGRAM = 'raycluster() { PYTHONPATH=%s "%s" -m orchestrator "$@"; }'


@dataclass(frozen=True)
class Terminal:
    """`socket`: tmux's, one server for each terminal."""

    socket: Path

    def type(self, line: str) -> None:
        """A line, and Enter."""
        self.write(line)
        self.press("Enter")

    def write(self, words: str) -> None:
        self._tmux("send-keys", "-l", "--", words)

    def press(self, *keys: str) -> None:
        """Keys by tmux's names, such as `C-c` and `q`."""
        self._tmux("send-keys", *keys)

    def run(self, line: str, seconds: float = 60) -> str:
        """Types a line, and waits until the prompt is back; all that stands on the screen then."""
        self.type(line)
        self.wait_for_prompt(seconds)
        return self.seen

    def wait_for_prompt(self, seconds: float = 60) -> None:
        self._tmux("wait-for", "prompt", timeout=seconds)

    def wait_for(self, words: str, seconds: float = 30) -> str:
        """Waits until the words are on the screen; the screen as it is then."""
        wait_until(f"{words!r} is on the screen", lambda: words in self.seen, seconds)
        return self.seen

    def clear(self) -> None:
        self.run("clear")
        self._tmux("clear-history")

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    @property
    def seen(self) -> str:
        """What the screen shows, and what has scrolled off it."""
        lines = self._tmux("capture-pane", "-p", "-S", "-").splitlines()
        return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"

    def _tmux(self, *words: str, timeout: float = 60) -> str:
        return run("tmux", "-S", self.socket, *words, timeout=timeout).stdout


@contextmanager
def terminal(
    lab: Lab, columns: int = 100, rows: int = 40, env: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """A shell on the laptop, in the test's folder, that knows `raycluster` by its name."""
    socket, profile = lab.folder / "tmux", lab.folder / "profile"
    python, _ = lab.raycluster_command()[0][:2]
    profile.write_text(
        f"PS1='$ '\nPROMPT_COMMAND='tmux -S {socket} wait-for -S prompt'\n{PROGRAM % (CHECKOUT, python)}\n"
    )
    shell = ("bash", "--noprofile", "--rcfile", profile, "-i")
    with running(lab, shell, socket, columns, rows, env) as opened:
        opened.wait_for_prompt()
        yield opened


@contextmanager
def running(
    lab: Lab,
    program: Iterable[str | Path],
    socket: Path,
    columns: int = 100,
    rows: int = 40,
    env: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """A terminal of the laptop in which a program runs."""
    command = lab.desk.command(program, {"TERM": "tmux-256color", **(env or {})}, lab.folder)
    size = ("-x", str(columns), "-y", str(rows))
    subprocess.run(
        ["tmux", "-f", "/dev/null", "-S", socket, "new-session", "-d", *size, *command], check=True
    )
    try:
        yield Terminal(socket)
    finally:
        run("tmux", "-S", socket, "kill-server", check=False)
