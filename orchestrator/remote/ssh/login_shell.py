"""What a login shell says before our command does, and after it, and the marks that tell them apart.

`~/.bashrc`, a banner of the host or a forced command may print whatever they like, on both streams, with or
without a newline. Nothing on a stream is the command's until its mark has come, nor after the one at its end, which a
script that becomes another program does not print.
"""

import re
from dataclasses import dataclass, field

from orchestrator.plan.command import Command
from orchestrator.remote.ssh.config import Settings
from orchestrator.remote.transport import Failure, FailureKind, Receive

MARK = b"\x1eraycluster\x1e"
MARK_STDERR = b"\x1eraycluster stderr\x1e"
# In this order, so that it is before the other where both streams have become one (`exec 2>&1` in ~/.bashrc).
PRINT_MARKS = r'printf "\036raycluster stderr\036" >&2; printf "\036raycluster\036"; '
END = b"\x1eraycluster ended\x1e"
END_STDERR = b"\x1eraycluster stderr ended\x1e"
# The other way round: where both streams are one, all that comes after the first of them is not the command's.
_PRINT_ENDS = r'printf "\036raycluster ended\036"; printf "\036raycluster stderr ended\036" >&2'
PRINT_ENDS = f"_said() {{ {_PRINT_ENDS}; }}; trap _said 0; "
KEPT = 1 << 14  # bytes of what came before it
OTHER_USER = re.compile(r'log ?in as the user "?([\w.-]+)"?', re.IGNORECASE)
HINTS = {
    r"password has expired|change your password|password change required": "set a new password there: {ssh}",
    r"account is (currently )?not available|account is disabled|nologin": (
        "its login shell lets nobody in: log in as another user (`ssh: {{user: …}}` in the inventory), or on the host: "
        "sudo chsh -s /bin/sh {user}"
    ),
    r"\bsh: (command )?not found|command not found: sh\b|unknown command: '?sh\b": (
        "its start-up files (~/.bashrc and the like) take /bin from PATH: put it back there"
    ),
    r"sftp connections only|allows sftp only": (
        "its sshd_config allows {user} nothing but SFTP: no ForceCommand internal-sftp for this user, or another user"
    ),
}
FORCED = (
    "does `{ssh} sh -c date` print the date? What keeps it from that: a forced command (command= in authorized_keys, "
    "ForceCommand), the login shell, or its start-up files"
)


def login_line(command: Command, *, to_the_end: bool) -> str:
    """What the host's login shell is given. Without `to_the_end` sh stays, and prints the ends' marks."""
    if to_the_end:
        return command.login_shell_line(PRINT_MARKS)
    return command.login_shell_line(PRINT_MARKS + PRINT_ENDS, stays=True)


@dataclass
class BetweenMarks:
    """A stream of a command: passes on what comes between its marks.

    Of what came before it keeps the end. What comes after the second, the last of those, is held back, until it
    turns out to be more than a shell says when it leaves.
    """

    pass_on: Receive
    mark: bytes
    last: bytes
    before: bytes = b""
    found: bool = field(default=False, init=False)
    _held: bytes = field(default=b"", init=False)

    def receive(self, data: bytes) -> None:
        if not self.found:
            self.before, mark, data = (self.before + data).partition(self.mark)
            self.found = bool(mark)
            self.before = self.before[-KEPT:]
        if data:
            self._receive(self._held + data)

    def _receive(self, data: bytes) -> None:
        at = data.rfind(self.last)
        if (
            at < 0
            and (part := data.rfind(self.last[:1], -len(self.last))) >= 0
            and self.last.startswith(data[part:])
        ):
            at = part
        sure = len(data) if at < 0 or len(data) - at > KEPT else at
        self._held = data[sure:]
        if sure:
            self.pass_on(data[:sure])

    def end(self) -> None:
        """Nothing more will come: what is no mark is the command's."""
        if self._held and not self._held.startswith(self.last):
            self.pass_on(self._held)
        self._held = b""


def runs_no_commands(host: Settings, said: bytes, exit_code: int) -> Failure:
    """The failure of an account in which no mark was printed: what it did say, and what helps against that."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    why = lines[-1] if lines else f"it says nothing, and ends with exit code {exit_code}"
    return Failure(
        FailureKind.ACCOUNT,
        f"{host.login} runs no commands: {why}",
        detail="\n".join(lines) if len(lines) > 1 else "",
        fix=_fix(host, "\n".join(lines)),
    )


def _fix(host: Settings, said: str) -> str:
    if other := OTHER_USER.search(said):
        return f"write it into the inventory: ssh: {{user: {other[1]}}}"
    hint = next((hint for words, hint in HINTS.items() if re.search(words, said, re.IGNORECASE)), FORCED)
    return hint.format(user=host.user, ssh=host.by_hand())
