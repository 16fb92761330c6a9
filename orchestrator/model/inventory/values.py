"""What each single value may be: the text as written → the value, or a ValueError that says why."""

import math
import re
import shlex
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from orchestrator.model.inventory.mistakes import did_you_mean, quoted

Choice = TypeVar("Choice", bound=StrEnum)

LONGEST_CLUSTER = 40
LONGEST_TEXT = 4096
LONGEST_TIMEOUT = 3600
HIGHEST_PORT = 65535
CLUSTER_NAME = "[a-z0-9][a-z0-9-]*"
VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"
RESTART_POLICIES = ("no", "always", "unless-stopped", "on-failure")
_NO_LOGIN = re.compile(r"[\x00-\x1f\x7f'`\";&<>|(){}]|\\$")  # as OpenSSH has it
_END_OF_RECORD = "\x1f"
_COMMAND_WORD = re.compile(r"[\w@%+=:,./-]+")


def text(written: object) -> str:
    """A text that is not empty, on one line, and cannot be taken for an option."""
    plain = scalar(written)
    if not plain.strip():
        raise ValueError("should not be empty")
    if plain.splitlines() != [plain]:
        raise ValueError("should be one line")
    if plain.startswith("-"):
        raise ValueError(f'should not start with "-", as {quoted(plain)} does')
    if len(plain) > LONGEST_TEXT:
        raise ValueError(f"should have at most {LONGEST_TEXT:,} characters, not {len(plain):,}")
    return plain


def word(written: object) -> str:
    """A text without spaces."""
    plain = text(written)
    if re.search(r"\s", plain):
        raise ValueError(f"should have no spaces, as {quoted(plain)} has")
    return plain


def user(written: object) -> str:
    name = word(written)
    if odd := _NO_LOGIN.search(name):
        raise ValueError(
            f"should be a user's name, which {quoted(odd[0])} cannot be in, unlike {quoted(name)}"
        )
    return name


def scalar(written: object) -> str:
    """Any text at all."""
    match written:
        case str():
            return written
        case None:
            raise ValueError("should have a value")
        case _:
            raise ValueError(f"should be text, not {kind(written)}")


def kind(written: object) -> str:
    """What a wrong value is, for the end of a message."""
    match written:
        case dict():
            return "a map"
        case list():
            return "a list"
        case str():
            return quoted(written)
        case _:
            return "nothing"


def choice(options: type[Choice]) -> Callable[[object], Choice]:
    def chosen(written: object) -> Choice:
        return options(_one_of(scalar(written), tuple(options)))

    return chosen


def cluster_name(written: object) -> str:
    name = scalar(written)
    if not re.fullmatch(CLUSTER_NAME, name):
        raise ValueError(
            'should be lower-case letters, digits and "-", starting with a letter or digit, not '
            + quoted(name)
        )
    if len(name) > LONGEST_CLUSTER:
        raise ValueError(f"should have at most {LONGEST_CLUSTER} characters, not {len(name)}")
    return name


def whole(lowest: int, highest: int | None = None) -> Callable[[object], int]:
    """A whole number, in digits only: `1e3`, `0x10` and `1_000` are not."""
    limits = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"

    def number(written: object) -> int:
        digits = scalar(written)
        if not re.fullmatch(r"[0-9]{1,9}", digits) or not lowest <= int(digits) <= (highest or int(digits)):
            raise ValueError(f"should be a whole number {limits}, not {quoted(digits)}")
        return int(digits)

    return number


port = whole(1, HIGHEST_PORT)


def seconds(written: object) -> float:
    plain = scalar(written)
    try:
        number = float(plain)
    except ValueError:
        number = math.nan
    if not 0 < number <= LONGEST_TIMEOUT:
        raise ValueError(f"should be seconds, above 0 and at most {LONGEST_TIMEOUT}, not {quoted(plain)}")
    return number


def variable(written: object) -> str:
    name = scalar(written)
    if re.fullmatch(VARIABLE, name):
        return name
    if re.match(f"{VARIABLE}=", name):
        raise ValueError('should be the name of a variable alone, without "=" and a value')
    raise ValueError(
        f"should be a variable's name: letters, digits and _, not starting with a digit; not {quoted(name)}"
    )


def variable_value(written: object) -> str:
    if written is None:
        raise ValueError('should have a value; write "" for an empty one')
    return scalar(written)


def hf_home(written: object) -> str:
    path = text(written)
    if ":" in path:
        raise ValueError('should have no ":", which Docker takes for the end of the path')
    if _END_OF_RECORD in path:
        raise ValueError(f"should have no {quoted(_END_OF_RECORD)}, which ends what a host tells of it")
    if path == "~" or path.startswith(("/", "~/")):
        return path
    raise ValueError(f'should be an absolute path, or start with "~/", unlike {quoted(path)}')


def command(written: object) -> str:
    """A command line, kept as text; `shlex.split` is known to split it.

    Its words are plain, because a host's shell splits them again, at blanks and without a look at quotes.
    """
    line = text(written)
    try:
        words = shlex.split(line)
    except ValueError:
        raise ValueError(f"has quotes that are never closed: {quoted(line)}") from None
    if not words or not words[0]:
        raise ValueError(f'should be a command such as "sudo -n docker", not {quoted(line)}')
    if "=" in words[0]:
        raise ValueError(f"starts with a variable; write {quoted(f'env {line}')}")
    if odd := [word for word in words if not _COMMAND_WORD.fullmatch(word)]:
        raise ValueError(
            f"has a word that cannot be sent as it is: {quoted(odd[0])}; letters, digits and @%+=:,./_- can"
        )
    return line


def shm_size(written: object) -> str:
    size = scalar(written)
    if not re.fullmatch(
        r"[0-9]+(\.[0-9]+)? ?([kmgtp]?i?b?)", size, re.IGNORECASE | re.ASCII
    ) or not re.search("[1-9]", size):
        raise ValueError(f'should be a size such as "10.24g" or "512m", not {quoted(size)}')
    return size


def restart(written: object) -> str:
    policy = scalar(written)
    if re.fullmatch(r"on-failure:[0-9]{1,9}", policy):
        return policy
    return _one_of(policy, RESTART_POLICIES, "; on-failure may end in :5, for 5 tries")


def _one_of(written: str, known: tuple[str, ...], more: str = "") -> str:
    if written in known:
        return written
    hint = did_you_mean(written.lower(), known)
    raise ValueError(
        f"should be one of {', '.join(known)}{more if not hint else ''}, not {quoted(written)}{hint}"
    )
