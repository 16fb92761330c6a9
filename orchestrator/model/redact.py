"""Redacts values in the file that look like secrets."""

import re
from itertools import pairwise

HIDDEN = "<hidden>"

_SUSPICIOUS = r"(?:TOKEN|KEYS?|PASSWORD|PASSWD|PASSPHRASE|SECRETS?|CREDENTIALS?|AUTH|_PAT|_PWD)"
_NAME = re.compile(rf".*{_SUSPICIOUS}", re.IGNORECASE)
_ASSIGNED = re.compile(rf"([\w-]*{_SUSPICIOUS}=).+", re.IGNORECASE | re.DOTALL)
_IN_URL = re.compile(r"(://[^/:@\s]*:)[^/@\s]+@")
_OPTION = re.compile(rf"--?[\w-]*{_SUSPICIOUS}", re.IGNORECASE)

_WORD = r"""(?:'[^']*'|"[^"]*"|\S+)"""
_IN_COMMAND = (
    (re.compile(r"(?<![^\s'\"=,/])([\w.%+-]+:)(?!//)[^\s@'\"]+@(?=[\w.%\[-])"), rf"\1{HIDDEN}@"),
    (re.compile(rf"([\w-]*{_SUSPICIOUS}=)(?:'[^']*'|\"[^\"]*\"|[^\s,'\"]+)", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf"((?<!\S)--?[\w-]*{_SUSPICIOUS}\s+){_WORD}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf"(\bsshpass\s+(?:-[vehP]\S*\s+)*-p\s*){_WORD}"), rf"\1{HIDDEN}"),
)
"""What gives a secret in a line of shell: USER:PASSWORD@HOST, NAME=VALUE, an option, and `-p` of sshpass."""


def variable(name: str, value: str) -> str:
    """A variable's value, hidden where its name is that of a secret; of an URL, its password."""
    return HIDDEN if value and _NAME.fullmatch(name) else _without_password(value)


def arguments(args: tuple[str, ...]) -> tuple[str, ...]:
    """A program's arguments with what they set of secrets hidden: `-eX_TOKEN=…`, `--password …`."""
    return tuple(
        HIDDEN if _OPTION.fullmatch(before) else _without_password(_ASSIGNED.sub(rf"\1{HIDDEN}", each))
        for before, each in pairwise(("", *args))
    )


def command_line(text: str) -> str:
    """A line for a shell, with what it gives of secrets hidden."""
    for secret, hidden in _IN_COMMAND:
        text = secret.sub(hidden, text)
    return text


def _without_password(text: str) -> str:
    return _IN_URL.sub(rf"\1{HIDDEN}@", text)
