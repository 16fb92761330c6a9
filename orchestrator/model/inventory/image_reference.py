"""Whether a text is a Docker image reference, and if not, why."""

import re

from orchestrator.model.inventory.mistakes import quoted
from orchestrator.model.inventory.values import scalar

_LONGEST_PATH = 255
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*")
_REGISTRY = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-f]{32,}")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


def image(value: object) -> str:
    """`registry/path:tag@digest`, only the path required."""
    written = scalar(value)
    if not written or written.startswith("-") or re.search(r"\s", written):
        raise ValueError(_expected(written))
    named, at, digest = written.partition("@")
    path, colon, tag = _split_tag(named)
    _check_path(path, written)
    if colon and not _TAG.fullmatch(tag):
        raise ValueError(f"has a tag that no image can have: {quoted(tag)}")
    if at:
        _check_digest(digest)
    return written


def _split_tag(named: str) -> tuple[str, str, str]:
    """A colon after the last slash starts the tag; one before it, the registry's port."""
    folder, slash, last = named.rpartition("/")
    name, colon, tag = last.partition(":")
    return folder + slash + name, colon, tag


def _check_path(path: str, written: str) -> None:
    if len(path) > _LONGEST_PATH:
        raise ValueError(f"has a name of {len(path):,} characters; Docker takes at most {_LONGEST_PATH}")
    first, slash, rest = path.partition("/")
    has_registry = slash and (re.search(r"[.:]", first) or first == "localhost")
    if has_registry and not _REGISTRY.fullmatch(first):
        raise ValueError(f"has a registry that is no host name: {quoted(first)}")
    repository = rest if has_registry else path
    if all(map(_COMPONENT.fullmatch, repository.split("/"))):
        return
    if all(map(_COMPONENT.fullmatch, repository.lower().split("/"))):
        raise ValueError(
            f"an image's name is lower case: write {quoted(repository.lower())}, not {quoted(repository)}"
        )
    raise ValueError(_expected(written))


def _check_digest(digest: str) -> None:
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"has a digest that is none: {quoted(digest)}; expected sha256: and 64 hex digits")
    if digest.startswith("sha256:") and not _SHA256.fullmatch(digest):
        digits = len(digest.removeprefix("sha256:"))
        raise ValueError(f"has an incomplete digest: sha256 has 64 hex digits, not {digits}")


def _expected(written: str) -> str:
    return f'should be a Docker image such as "vllm/vllm-openai:v0.17.1", not {quoted(written)}'
