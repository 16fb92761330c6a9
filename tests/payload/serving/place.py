"""A supervisor as it is in a container, in a folder of a test's own, with a server that only stands in for vLLM."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator import payload
from tests.remote.fakes import SOON

VLLM = Path(__file__).with_name("vllm")
FAST = {"PAUSES": "(0.1,)", "TICK": "0.1"}


def until(what: str, holds: Callable[[], object], seconds: float = SOON) -> None:
    """Waits for it."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain until {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def lives(pid: int) -> bool:
    """Whether the process runs; what is dead and not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@dataclass
class Place:
    """The supervisor's folder, and what a test does there."""

    folder: Path
    port: int = field(default_factory=free_port)
    name: str = "one"

    @property
    def files(self) -> Path:
        """The server's own."""
        return self.folder / "served" / self.name if self.name else self.folder

    def furnish(self, **constants: str) -> None:
        """Puts the programs there, some of their constants as a test wants them."""
        for name, text in json.loads(payload.serving_files("{}"))["files"].items():
            (self.folder / name).write_text(self._changed(text, FAST | constants))

    def _changed(self, text: str, constants: dict[str, str]) -> str:
        for name, value in constants.items():
            text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
        return text

    def spec(self, model: str, *args: str, **changes: Any) -> str:
        words = ("--host", "127.0.0.1", "--port", str(self.port), *args)
        made: dict[str, Any] = {
            "name": self.name,
            "model": model,
            "args": words,
            "argv": (str(VLLM), "serve", model, *words),
            "env": {},
        }
        made |= {"after": None, "url": f"http://127.0.0.1:{self.port}", "key": "", "group": None}
        made |= {"needs": {}}
        return json.dumps(made | changes)

    def supervisor(self, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*words),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=dict(os.environ) | env,
        )

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(self.folder / "supervisor.py"), *words]

    def begin(self, *words: str) -> "subprocess.Popen[bytes]":
        """A supervisor that is not waited for, as when its container starts again."""
        return subprocess.Popen(self.command(*words), start_new_session=True)

    def start(self, model: str, *args: str, **changes: Any) -> str:
        """What tells this start from any other."""
        started = self.supervisor("start", self.spec(model, *args, **changes))
        assert (started.returncode, started.stderr) == (0, "")
        return started.stdout.strip()

    def look(self, seconds: float = 0) -> dict[str, Any]:
        """What is told of it, within `seconds` of waiting for a change unless it answers."""
        return self.look_at(self.name, seconds=seconds)[self.name]

    def look_at(self, *names: str, seconds: float = 0) -> dict[str, dict[str, Any]]:
        """What is told of several, by name."""
        looked = self.supervisor("inspect", "50", str(seconds), *names)
        assert looked.returncode == 0, looked.stderr
        told = map(json.loads, looked.stdout.splitlines())
        return {each["server"]: each for each in told}

    def state(self) -> dict[str, Any]:
        """What the supervisor has written of its server last."""
        try:
            state: dict[str, Any] = json.loads((self.files / "state.json").read_text())
        except (OSError, ValueError):
            return {}
        return state

    def becomes(self, what: str, starts: int = 1) -> None:
        """Waits until the server is so, in its so-manieth life."""
        wanted = (what, starts)
        until(f"it is {wanted}", lambda: (self.state().get("is"), self.state().get("starts", 0)) == wanted)

    def serve(self, model: str = "alphabet", *args: str, **changes: Any) -> None:
        self.start(model, *args, **changes)
        self.becomes("answering")

    def said(self, word: str) -> int:
        """A number that the server has told last."""
        until(f"it tells its {word}", lambda: re.search(rf"^{word} \d+$", self.log(), re.MULTILINE))
        return int(re.findall(rf"^{word} (\d+)$", self.log(), re.MULTILINE)[-1])

    @property
    def server(self) -> int:
        return self.said("pid")

    def log(self) -> str:
        file = self.files / "vllm.log"
        return file.read_text() if file.exists() else ""

    def get(self, path: str) -> bytes:
        """Asks the server itself."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SOON) as there:
            there.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            return there.recv(1000)

    def processes(self) -> dict[int, str]:
        """All that runs of it: supervisors, servers, and what those have started."""
        found = ((int(each.name), each) for each in Path("/proc").iterdir() if each.name.isdecimal())
        return {pid: command for pid, each in found if (command := self._ours(each)) and lives(pid)}

    def _ours(self, process: Path) -> str:
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            marked = f"RAYCLUSTER_SERVES={self.files}\0" in (process / "environ").read_text()
        except OSError:
            return ""
        return command if marked or self._is_supervisor(command) else ""

    def _is_supervisor(self, command: str) -> bool:
        return command.rstrip().endswith(f"{self.folder / 'supervisor.py'} run {self.name}".rstrip())

    def supervisors(self) -> list[int]:
        return [pid for pid, command in self.processes().items() if self._is_supervisor(command)]

    def servers(self) -> list[int]:
        """All but the supervisors."""
        return [pid for pid, command in self.processes().items() if not self._is_supervisor(command)]

    def kill(self, *pids: int) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):  # some end as soon as their parent has
                os.kill(pid, signal.SIGKILL)
        until("they are dead", lambda: not any(map(lives, pids)))

    def kill_keeper(self) -> None:
        self.kill(*self.supervisors())

    def clear(self) -> None:
        """Ends whatever is there, in whatever state a test has left it."""
        while doomed := self.processes():
            for pid in doomed:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.02)
