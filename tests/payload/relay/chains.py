"""A chain of real relays on loopback: processes of this machine, with certificates as a run has them."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from orchestrator.payload import relay_program
from orchestrator.remote.transfer.certificates import Authority

HERE = "127.0.0.1"
MB = 1 << 20


def gone(pid: int) -> bool:
    """Whether a process ends, within two seconds."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        try:
            if not Path(f"/proc/{pid}/cmdline").read_bytes():  # what is left of it waits to be asked for
                return True
        except OSError:
            return True
    return False


class RelayProcess:
    """One relay: what it has said so far, and what it is told."""

    def __init__(self, name: str, authority: Authority, **config: Any) -> None:
        me = authority.identity(name)
        self.name, self.said, self._changed = name, list[dict[str, Any]](), threading.Condition()
        pipe = subprocess.PIPE
        program = relay_program("relay/docker_save.py").replace("DOCKERS = (", "DOCKERS = () and (")
        self.process = subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe)
        self.tell(
            cert=me.certificate,
            key=me.key,
            ca=me.authority,
            ip=HERE,
            ports=[20000, 29999],
            history=8 * MB,
            **config,
        )
        threading.Thread(target=self._hear, daemon=True).start()
        self.port = self.wait_for("listening")["port"]

    def tell(self, **order: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def follow(self, other: "RelayProcess") -> None:
        self.tell(upstream={"ip": HERE, "port": other.port, "peer": other.name})

    def _hear(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._changed:
                self.said.append(json.loads(line))
                self._changed.notify_all()

    def wait_for(self, what: str, such: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next((each for each in self.said if each["what"] == what and such(each)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None, 20)
            got = found()
        assert got, f"{self.name} never said {what}: {self.said}"
        return got

    def told(self, what: str) -> list[dict[str, Any]]:
        with self._changed:
            return [each for each in self.said if each["what"] == what]

    def end(self) -> float:
        """Closes its standard input; the seconds until it has ended."""
        assert self.process.stdin
        began = time.monotonic()
        self.process.stdin.close()
        self.process.wait(10)
        return time.monotonic() - began


@contextmanager
def chain(*configs: dict[str, Any]) -> Iterator[list[RelayProcess]]:
    """Relays that are linked in this order, the stream of the first not begun."""
    authority, relays = Authority(), list[RelayProcess]()
    try:
        for number, config in enumerate(configs):
            behind = f"relay-{number + 1}" if number + 1 < len(configs) else None
            relays.append(RelayProcess(f"relay-{number}", authority, next=behind, **config))
        for before, relay in pairwise(relays):
            relay.follow(before)
        for relay in relays[1:]:
            relay.wait_for("linked", lambda each: each["side"] == "upstream")
        yield relays
    finally:
        for relay in relays:
            relay.process.kill()
            relay.process.wait()
