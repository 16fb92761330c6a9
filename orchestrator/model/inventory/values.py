"""Kinds of single values. Each rule stands once: it checks what is written, and describes it to an editor."""

import math
import re
import shlex
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from orchestrator.model import gpu_request as docker
from orchestrator.model.cluster import SERVER
from orchestrator.model.inventory.fields import Value, kind_of, value
from orchestrator.model.inventory.mistakes import did_you_mean, quoted

Choice = TypeVar("Choice", bound=StrEnum)

SCALAR = ["string", "number", "boolean"]  # what an editor may take a text for
HIGHEST_PORT = 65535
LONGEST_TEXT = 4096
_LONGEST_CLUSTER = 40
_LONGEST_TIMEOUT = 3600
_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"
_SIZE = r"(?=.*[1-9])[0-9]+(\.[0-9]+)? ?[kKmMgGtTpP]?[iI]?[bB]?"
_LEAST_SIZE = 1 << 20
"""Fewer bytes than any /dev/shm can be meant to have."""
_RESTART_POLICIES = ("no", "always", "unless-stopped", "on-failure")
_RETRIES = "on-failure:[0-9]{1,9}"
_END_OF_RECORD = "\x1f"
_COMMAND_WORD = r"[\w@%+=:,./-]+"
_NO_USER = r"\x00-\x1f\x7f'`\";&<>|(){}"  # as OpenSSH has it
USER = rf"(?!-)[^\s{_NO_USER}]+"

_LONGEST_PATH = 255
_COMPONENT = "[a-z0-9]+(?:(?:[.]|__?|-+)[a-z0-9]+)*"
_REPOSITORY = f"{_COMPONENT}(?:/{_COMPONENT})*"
_REGISTRY = r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_TAG = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = "[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-f]{32,}"
_NO_IMAGE = 'should be a Docker image such as "vllm/vllm-openai:v0.17.1", not '


@value(type=SCALAR)
def scalar(written: object) -> str:
    """Any text at all."""
    if isinstance(written, str):
        return written
    raise ValueError("should have a value" if written is None else f"should be text, not {kind_of(written)}")


@value(type=SCALAR, pattern=r"^(?!-)[^\n\r]*\S[^\n\r]*$", maxLength=LONGEST_TEXT, minimum=0)
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


@value(type=SCALAR, pattern=f"^{USER}$", minimum=0)
def user(written: object) -> str:
    name = word(written)
    if odd := re.search(rf"[{_NO_USER}]|\\$", name):
        raise ValueError(
            f"should be a user's name, which {quoted(odd[0])} cannot be in, unlike {quoted(name)}"
        )
    return name


def choice(options: type[Choice], meant: Mapping[str, str] | None = None) -> Value[Choice]:
    """One of a few words. `meant`: those that others say for them."""
    words = tuple(map(str, options))
    return Value(
        lambda written: options(_one_of(scalar(written), words, meant=meant or {})), enum=list(words)
    )


@value(enum=["true", "false", True, False])
def flag(written: object) -> bool:
    """True or false, in these words alone."""
    return _one_of(scalar(written), ("true", "false"), meant={"yes": "true", "no": "false"}) == "true"


@value(type=SCALAR, pattern="^[a-z0-9][a-z0-9-]*$", maxLength=_LONGEST_CLUSTER, minimum=0)
def cluster_name(written: object) -> str:
    name = scalar(written)
    if not re.fullmatch("[a-z0-9][a-z0-9-]*", name):
        raise ValueError(
            'should be lower-case letters, digits and "-", starting with a letter or digit, not '
            + quoted(name)
        )
    if len(name) > _LONGEST_CLUSTER:
        raise ValueError(f"should have at most {_LONGEST_CLUSTER} characters, not {len(name)}")
    return name


def whole(lowest: int, highest: int, expected: str, digits: str) -> Value[int]:
    """A whole number, in digits only: `1e3`, `0x10` and `1_000` are not."""

    def check(written: object) -> int:
        plain = scalar(written)
        if not re.fullmatch("[0-9]{1,9}", plain) or not lowest <= int(plain) <= highest:
            raise ValueError(f"should be a whole number {expected}, not {quoted(plain)}")
        return int(plain)

    return Value(check, type=["integer", "string"], pattern=f"^{digits}$", minimum=lowest, maximum=highest)


port = whole(1, HIGHEST_PORT, f"from 1 to {HIGHEST_PORT}", "0{0,8}[1-9][0-9]{0,4}")
gpus = whole(0, 999_999_999, "of at least 0", "[0-9]{1,9}")
minutes = whole(1, 9999, "of minutes, from 1 to 9999", "0{0,5}[1-9][0-9]{0,3}")
some_gpus = whole(1, 999_999_999, "of at least 1", "0{0,8}[1-9][0-9]{0,8}")


@value(type=SCALAR, pattern=f"^{SERVER}$", minimum=0)
def server_name(written: object) -> str:
    """What a model's server is called."""
    name = scalar(written)
    if not re.fullmatch(SERVER, name):
        raise ValueError(
            'should be letters, digits, ".", "_" and "-", starting with a letter or digit, not '
            + quoted(name)
        )
    return name


@value(type=SCALAR, pattern=docker.PATTERN, maxLength=LONGEST_TEXT, minimum=0)
def gpu_request(written: object) -> str:
    """Docker's `--gpus`, or none."""
    asked = text(written)
    docker.parse(docker.as_docker_takes_it(asked))
    return asked


@value(
    type=["number", "string"],
    pattern=r"^(?!\s*-)[^A-Za-z]+([eE][^A-Za-z]+)?$",
    exclusiveMinimum=0,
    maximum=_LONGEST_TIMEOUT,
)
def seconds(written: object) -> float:
    plain = scalar(written)
    try:
        number = float(plain)
    except ValueError:
        number = math.nan
    if not 0 < number <= _LONGEST_TIMEOUT:
        raise ValueError(f"should be seconds, above 0 and at most {_LONGEST_TIMEOUT}, not {quoted(plain)}")
    return number


@value(type=["string", "boolean"], pattern=f"^{_VARIABLE}$")
def variable(written: object) -> str:
    name = scalar(written)
    if re.fullmatch(_VARIABLE, name):
        return name
    if re.match(f"{_VARIABLE}=", name):
        raise ValueError('should be the name of a variable alone, without "=" and a value')
    raise ValueError(
        f"should be a variable's name: letters, digits and _, not starting with a digit; not {quoted(name)}"
    )


@value(type=SCALAR)
def variable_value(written: object) -> str:
    if written is None:
        raise ValueError('should have a value; write "" for an empty one')
    return scalar(written)


@value(type="string", pattern=r"^(~|~?/[^:\n\r]*)$", maxLength=LONGEST_TEXT, examples=["/data/huggingface"])
def hf_home(written: object) -> str:
    path = text(written)
    if ":" in path:
        raise ValueError('should have no ":", which Docker takes for the end of the path')
    if _END_OF_RECORD in path:
        raise ValueError(f"should have no {quoted(_END_OF_RECORD)}, which ends what a host tells of it")
    if path == "~" or path.startswith(("/", "~/")):
        return path
    raise ValueError(f'should be an absolute path, or start with "~/", unlike {quoted(path)}')


@value(
    type=SCALAR,
    pattern=r"^(?!-)(?!\s*[^\s=]*=)(?!.*[$()*;&|<>`~])[^\n\r]*\S[^\n\r]*$",
    minimum=0,
    examples=["sudo -n docker", "podman"],
)
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
    if odd := [word for word in words if not re.fullmatch(_COMMAND_WORD, word)]:
        raise ValueError(
            f"has a word that cannot be sent as it is: {quoted(odd[0])}; letters, digits and @%+=:,./_- can"
        )
    return line


@value(type=["string", "number"], pattern=f"^{_SIZE}$", minimum=_LEAST_SIZE, examples=["10.24g", "64g"])
def size(written: object) -> str:
    plain = scalar(written)
    if not re.fullmatch(_SIZE, plain):
        raise ValueError(f'should be a size such as "10.24g" or "512m", not {quoted(plain)}')
    if re.fullmatch(r"[0-9.]+", plain) and float(plain) < _LEAST_SIZE:
        raise ValueError(f"is {plain} bytes; write the unit, as in {plain}g")
    return plain


@value(anyOf=[{"enum": list(_RESTART_POLICIES)}, {"type": "string", "pattern": f"^{_RETRIES}$"}])
def restart(written: object) -> str:
    policy = scalar(written)
    if re.fullmatch(_RETRIES, policy):
        return policy
    return _one_of(policy, _RESTART_POLICIES, "; on-failure may end in :5, for 5 tries")


@value(
    type=SCALAR,
    pattern=r"^(?!-)(?![^@]*//)(?!\w+://)[^\s@]+(@[a-z0-9+._-]+:[0-9a-f]{32,})?$",
    minimum=0,
    examples=["vllm/vllm-openai:v0.17.1"],
)
def image(written: object) -> str:
    """A Docker image: `registry/path:tag@digest`, only the path required."""
    plain = scalar(written)
    if re.search(r"^$|^-|\s", plain):
        raise ValueError(_NO_IMAGE + quoted(plain))
    named, at, digest = plain.partition("@")
    folder, slash, last = named.rpartition("/")
    name, colon, tag = last.partition(":")  # a colon before the last slash starts a registry's port
    _check_path(folder + slash + name, plain)
    if colon and not re.fullmatch(_TAG, tag):
        raise ValueError(f"has a tag that no image can have: {quoted(tag)}")
    if at and not re.fullmatch(_DIGEST, digest):
        raise ValueError(f"has a malformed digest: {quoted(digest)}; expected sha256: and 64 hex digits")
    algorithm, _, digits = digest.partition(":")
    if algorithm == "sha256" and len(digits) != 64:  # noqa: PLR2004
        raise ValueError(f"has an incomplete digest: sha256 has 64 hex digits, not {len(digits)}")
    return plain


def _check_path(path: str, written: str) -> None:
    if len(path) > _LONGEST_PATH:
        raise ValueError(f"has a name of {len(path):,} characters; Docker takes at most {_LONGEST_PATH}")
    first, slash, rest = path.partition("/")
    has_registry = slash and (re.search("[.:]", first) or first == "localhost")
    if has_registry and not re.fullmatch(_REGISTRY, first):
        raise ValueError(f"has a registry that is not a host name: {quoted(first)}")
    repository = rest if has_registry else path
    if re.fullmatch(_REPOSITORY, repository):
        return
    if re.fullmatch(_REPOSITORY, repository.lower()):
        raise ValueError(
            f"an image's name is lower case: write {quoted(repository.lower())}, not {quoted(repository)}"
        )
    raise ValueError(_NO_IMAGE + quoted(written))


def _one_of(
    written: str, known: tuple[str, ...], more: str = "", meant: Mapping[str, str] = MappingProxyType({})
) -> str:
    if written in known:
        return written
    hint = did_you_mean(meant.get(written.lower(), written.lower()), known)
    raise ValueError(
        f"should be one of {', '.join(known)}{more if not hint else ''}, not {quoted(written)}{hint}"
    )
