"""A command for a host: what is sent, and what people are shown."""

import shlex
from dataclasses import dataclass

from orchestrator.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Command:
    """An argument list and what it reads on standard input.

    Argument lists are world-readable on a host, so they hold no `Secret`: those travel on `stdin`.
    Quoting happens here and nowhere else.
    """

    argv: tuple[str, ...]
    stdin: tuple[str | Secret, ...] = ()

    def line(self) -> str:
        """The one string for the remote shell, the same for people and hosts."""
        return shlex.join(self.argv)

    def input(self) -> bytes:
        """What standard input carries, secrets included."""
        return "".join(part.value if isinstance(part, Secret) else part for part in self.stdin).encode()
