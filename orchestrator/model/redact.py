"""Redacts values in the file that look like secrets."""

import re
from itertools import pairwise

HIDDEN = "<hidden>"

_SUSPICIOUS = r"(?:TOKEN|KEYS?|PASSWORD|PASSWD|PASSPHRASE|SECRETS?|CREDENTIALS?|AUTH|_PAT|_PWD)"
_NAME = re.compile(rf".*{_SUSPICIOUS}", re.IGNORECASE)
_ASSIGNED = re.compile(rf"([\w-]*{_SUSPICIOUS}=).+", re.IGNORECASE | re.DOTALL)
_IN_URL = re.compile(r"(://[^/:@\s]*:)[^/@\s]+@")
_OPTION = re.compile(rf"--?[\w-]*{_SUSPICIOUS}", re.IGNORECASE)


def variable(name: str, value: str) -> str:
    """A variable's value, hidden where its name is that of a secret; of an URL, its password."""
    return HIDDEN if value and _NAME.fullmatch(name) else _without_password(value)


def arguments(args: tuple[str, ...]) -> tuple[str, ...]:
    """A program's arguments with what they set of secrets hidden: `-eX_TOKEN=…`, `--password …`."""
    return tuple(
        HIDDEN if _OPTION.fullmatch(before) else _without_password(_ASSIGNED.sub(rf"\1{HIDDEN}", each))
        for before, each in pairwise(("", *args))
    )


def _without_password(text: str) -> str:
    return _IN_URL.sub(rf"\1{HIDDEN}@", text)
