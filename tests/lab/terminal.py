"""A terminal with somebody in front of it: types, reads, and changes the size of the window."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

from .lab import Lab
from .processes import LabError

CODES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07)")


class Terminal:
    """`raycluster` with a terminal of its own on the laptop."""

    def __init__(self, lab: Lab, *words: str | Path, rows: int = 24, columns: int = 80) -> None:
        self._screen, theirs = pty.openpty()
        self._said = ""
        self.resize(rows, columns)
        argv, env = lab.raycluster_command(*words, env={"TERM": "xterm-256color"})
        # As a login does it: only a controlling terminal tells its programs of another size.
        own = ["setsid", "--ctty", "--wait", *argv]
        self._process = lab.laptop_popen(own, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def reads(self, pattern: str, seconds: float = 30) -> str:
        """Waits until the screen says it; what came up to there."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self._said)):
            if not self._hears(deadline - time.monotonic()):
                raise LabError(f"the terminal never said {pattern!r}, but: {self._said!r}")
        shown, self._said = self._said[: found.end()], self._said[found.end() :]
        return shown

    def ends(self, seconds: float = 30) -> int:
        """Waits until the program has ended; its exit code."""
        deadline = time.monotonic() + seconds
        while self._hears(deadline - time.monotonic()):
            pass
        os.close(self._screen)
        try:
            return self._process.wait(max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise LabError(f"the program does not end; it said: {self._said!r}") from None

    def _hears(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._screen], [], [], max(0, seconds))
        try:
            heard = os.read(self._screen, 65536) if ready else b""
        except OSError:  # nobody has the other end any more
            heard = b""
        self._said = CODES.sub("", self._said + heard.decode(errors="replace"))
        return bool(heard)
