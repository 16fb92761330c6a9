"""A command for a host: what is sent, and what people are shown."""

import shlex
from dataclasses import dataclass

from orchestrator.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Command:
    """An argument list and what it reads on standard input.

    Argument lists are world-readable on a host, so they hold no `Secret`: those travel on `stdin`.
    Quoting for the remote shell happens here and nowhere else.
    """

    argv: tuple[str, ...]
    stdin: tuple[str | Secret, ...] = ()

    def line(self) -> str:
        """The one string for the remote shell."""
        return shlex.join(self.argv)

    def shown(self) -> str:
        """The same for people and for scripts: what is no plain character stands escaped, as bash reads it."""
        return " ".join(map(quoted, self.argv))

    @property
    def is_script(self) -> bool:
        """Whether it is a program of many lines, rather than a line that a person would type."""
        return self.argv[:2] == ("sh", "-c")

    def input(self) -> bytes:
        """What standard input carries, secrets included."""
        return "".join(part.value if isinstance(part, Secret) else part for part in self.stdin).encode()


def quoted(word: str) -> str:
    """A word for bash, `$'…'` where needed: a tab or an escape code would not come through a screen unharmed."""
    if word.replace("\n", "").isprintable():
        return shlex.quote(word)
    return f"$'{''.join(map(_escaped, word))}'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode())
