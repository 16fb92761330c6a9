"""KnownHostsCommand: a program of the user's that tells host keys, run as `ssh` runs it."""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic

from orchestrator.remote.ssh.config import Settings, expand
from orchestrator.remote.ssh.known_hosts import Entry, HostKey, parse
from orchestrator.remote.transport import Failure, FailureError, FailureKind


class KnownHostsCommand:
    """Asks the program of one hop, and not twice the same. FailureError where it fails, as `ssh` gives up then too.

    One that cannot be run at all tells nothing, and `ssh` goes on without it.
    """

    def __init__(self, hop: Settings, deadline: float) -> None:
        self.hop = hop
        self.deadline = deadline
        self.told = "KnownHostsCommand prints no key for it." if hop.known_hosts_command else ""
        self._answers: dict[tuple[str, ...], str] = {}

    def before(self) -> list[Entry]:
        """What is known before the host has shown a key. OpenSSH then gives the name without the port."""
        found = self._ask(
            {"%H": self.hop.host.lower(), "%I": "ORDER", "%t": "NONE", "%K": "NONE", "%f": "NONE"}
        )
        return [
            entry for entry in found if entry.is_for(self.hop.known_as) or entry.is_for(self.hop.host.lower())
        ]

    def about(self, name: str, key: HostKey) -> list[Entry]:
        """The lines for a name, now that the host has shown this key."""
        shown = {"%t": key.type, "%K": key.base64, "%f": key.fingerprint}
        found = self._ask({"%H": name, "%I": "HOSTNAME", **shown})
        return [entry for entry in found if entry.is_for(name)]

    def _ask(self, tokens: Mapping[str, str]) -> list[Entry]:
        if not self.hop.known_hosts_command:
            return []
        argv = self._argv(self.hop.known_hosts_command, tokens)
        if argv not in self._answers:
            self._answers[argv] = self._run(argv)
        return [entry for entry in parse(self._answers[argv], None) if entry.key.is_whole]

    def _argv(self, command: str, tokens: Mapping[str, str]) -> tuple[str, ...]:
        try:
            return tuple(expand(word, self.hop, tokens) for word in shlex.split(command))
        except ValueError as error:
            raise self._failed(f"cannot be read: {error}", f"check {command} in ~/.ssh/config") from error

    def _run(self, argv: tuple[str, ...]) -> str:
        by_hand = f"try: {shlex.join(argv)}"
        if not argv or not Path(argv[0]).is_absolute():
            return self._nothing("it is not an absolute path")
        try:
            # A session of its own, so that what it has started ends with it.
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            return self._nothing(error.strerror or str(error))
        try:
            said, complaint = process.communicate(timeout=max(self.deadline - monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            raise self._failed("does not end", by_hand) from None
        finally:
            with suppress(
                ProcessLookupError, PermissionError
            ):  # one that became root by sudo may not be ended
                os.killpg(process.pid, signal.SIGKILL)
            for pipe in (process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        if process.returncode:
            words = complaint.strip().splitlines() or [f"exit code {process.returncode}"]
            raise self._failed(f"fails: {words[-1]}", by_hand, "\n".join(words[:-1]))
        return said

    def _nothing(self, why: str) -> str:
        self.told = f"KnownHostsCommand {self.hop.known_hosts_command} cannot be run: {why}."
        return ""

    def _failed(self, what: str, fix: str, detail: str = "") -> FailureError:
        message = f"the KnownHostsCommand for {self.hop.address} {what}"
        return FailureError(Failure(FailureKind.HOST_KEY, message, detail=detail, fix=fix))
