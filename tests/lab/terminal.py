"""A terminal of the laptop, and what a program shows on it now."""

import os
import pty
import re
import termios
from contextlib import suppress
from pathlib import Path
from threading import Thread

from .lab import Lab
from .processes import wait_until

HOME = b"\x1b[H"
"""With this a page begins that is drawn over the last one."""


class Terminal:
    """Runs `raycluster` on a screen of so many rows and columns."""

    def __init__(self, lab: Lab, *words: str | Path, rows: int = 24, columns: int = 80) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (rows, columns))
        self.process = lab.raycluster_popen(
            *words, env={"TERM": "xterm-256color"}, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self._said = b""
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):
            while piece := os.read(self._ours, 65536):
                self._said += piece

    @property
    def page(self) -> str:
        """The last page that was drawn to its end."""
        return _plain((b"", *self._said.split(HOME))[-2])

    @property
    def end(self) -> str:
        """What stands on the screen when the program has left it."""
        return _plain(self._said.rpartition(b"\x1b[?1049l")[2])

    def shows(self, *words: str, seconds: float = 60) -> str:
        """Waits for a page with all these words."""
        wait_until(f"the page shows {words}", lambda: all(word in self.page for word in words), seconds)
        return self.page

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def ended(self) -> int:
        """The exit code, once the program has ended."""
        code = self.process.wait(timeout=30)
        self._reader.join(timeout=30)
        os.close(self._ours)
        return code


def _plain(said: bytes) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode(errors="replace")).replace("\r\n", "\n")
