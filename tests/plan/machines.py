"""A machine for scripts that are really run by `sh`: its programs are stubs that answer from files."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from orchestrator.plan.command import Command

NOTE = """\
#!/bin/sh
{ printf '%s\\0' "$@" && echo; } >"$CALLS.$$"
cat "$CALLS.$$" >>"$CALLS" # in one go: others may note theirs
"""
"""How a program begins that writes down how it was called."""


@dataclass(frozen=True)
class Machine:
    """Programs found before the real ones, what they answer, and how those that note it were called."""

    folder: Path

    def program(self, name: str, text: str) -> None:
        self.file(f"bin/{name}", text).chmod(0o755)

    def answers(self, name: str, text: str) -> None:
        self.file(f"answers/{name}", text)

    def file(self, path: str, text: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(text)
        return file

    def run(self, command: Command) -> "subprocess.CompletedProcess[str]":
        """As a host runs it: the line is given to a shell."""
        return subprocess.run(
            ["sh", "-c", command.line()],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "HOME": str(self.folder / "home"),
                "ANSWERS": str(self.folder / "answers"),
                "CALLS": str(self.folder / "calls"),
            },
        )

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call that was noted."""
        lines = (self.folder / "calls").read_text().split("\0\n")
        return [line.split("\0") for line in lines if line]
