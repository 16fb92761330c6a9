"""A command for a host: what is sent, and what people are shown."""

import re
import shlex
from typing import Self

from orchestrator.frozen import dataclass
from orchestrator.model.secret import Secret

DIFFERS = re.compile(r"[^ -~]|['!\\]")
"""What login shells read in different ways within single quotes."""

NO_PLAIN_FORMAT = re.compile(r"""[^ -~]|['!\\%"$`]""")
"""The same, and what printf or double quotes would make something else of."""

ONCE = "export SHLVL=1; "
"""Keeps a bash that is run from here from reading ~/.bashrc, as Debian's does at the first level of an SSH session.

The login shell has read it, and need not have counted itself.
"""


class Script(str):
    """A program that a command carries as a word of its line, with the name that it is known by."""

    __slots__ = ("name",)
    name: str

    def __new__(cls, name: str, text: str) -> Self:
        made = super().__new__(cls, text)
        made.name = name
        return made

    def command(
        self, *arguments: str, interpreter: str = "sh", stdin: "tuple[str | Secret, ...]" = ()
    ) -> "Command":
        """Has a shell run it, its name as `$0`. What varies are arguments, which are never read as code."""
        return Command((interpreter, "-c", self, self.name, *arguments), stdin)


@dataclass(frozen=True, slots=True)
class Command:
    """An argument list and what it reads on standard input.

    Argument lists are world-readable on a host, so they hold no `Secret`: those travel on `stdin`.
    Quoting for the remote shell happens here and nowhere else.
    """

    argv: tuple[str, ...]
    stdin: tuple[str | Secret, ...] = ()

    def line(self) -> str:
        """The one string for a POSIX shell."""
        return shlex.join(self.argv)

    def login_shell_line(self, first: str = "", *, stays: bool = False) -> str:
        """The one line for a host's login shell, which need be no POSIX shell: all it reads is `sh -c '…'`.

        Within single quotes sh, bash, dash, ash, zsh, fish, csh and tcsh agree but for a newline, `'`, `!` and
        a backslash: those, and what is not ASCII, sh itself makes out of digits. `first`: shell code, of other
        characters only, that is run before the command; `stays`: sh does not become the command, for what `first`
        has it do in the end.
        """
        match self.argv:
            case ("sh", "-c", Script() as script, name, *arguments):  # this very sh can run it
                code = f"{shlex.join(('set', '--', *arguments))}; {script.lstrip()}"
                called = f" {name}"
            case _:
                code, called = self.line() if stays else f"exec {self.line()}", ""
        if DIFFERS.search(code):
            escaped = NO_PLAIN_FORMAT.sub(lambda found: _octal(found[0]), code)
            code = f'eval "$(printf "{escaped}")"'
        return f"sh -c '{first}{ONCE}{code}'{called}"

    def shown(self) -> str:
        """The same for people and for scripts: what is no plain character stands escaped, as bash reads it."""
        return " ".join(map(quoted, self.argv))

    @property
    def script(self) -> str:
        """The name of the program that it carries; empty for a line that a person would type."""
        return next((word.name for word in self.argv if isinstance(word, Script)), "")

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
    return character if character.isprintable() else _octal(character)


def _octal(character: str) -> str:
    """The character's bytes as printf and `$'…'` read them."""
    return "".join(f"\\{byte:03o}" for byte in character.encode(errors="surrogateescape"))
