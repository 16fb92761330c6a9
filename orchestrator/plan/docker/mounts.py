"""Mounts: what the inventory's own arguments give a container, and where that has the folder for Hugging Face."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import PurePosixPath

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Node

HF_HOME = "/root/.cache/huggingface"
"""Where Hugging Face looks as root, unless HF_HOME says otherwise."""

SHORT, LONG = "-v", ("--volume", "--mount", "--tmpfs")


@dataclass(frozen=True, slots=True)
class Mount:
    """`source`: empty where it is no folder of the host."""

    source: str
    target: str


def own_mounts(node: Node) -> tuple[Mount, ...]:
    """Those of `docker.args`."""
    return tuple(filter(None, (_mount(option, value) for option, value in _values(node.docker.args))))


def hf_home_target(node: Node) -> str:
    """Where the container has the node's `hf_home`: where its `env` has Hugging Face look.

    Where `docker.args` mount something there, the user has arranged it.
    """
    wanted = dict(node.env).get("HF_HOME", "")
    can_be = wanted.startswith("/") and ":" not in wanted and wanted.strip("/")
    return wanted if can_be and not mounted_at(node, wanted) else HF_HOME


def mounted_at(node: Node, path: str) -> Mount | None:
    """What `docker.args` mount there, or above it."""
    found = (each for each in own_mounts(node) if PurePosixPath(path).is_relative_to(each.target))
    return max(found, key=lambda each: len(each.target), default=None)


def _values(args: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for word, following in zip_longest(args, args[1:], fillvalue=""):
        option, attached, value = word.partition("=")
        if option in (SHORT, *LONG):
            yield option, value if attached else following
        elif word.startswith(SHORT) and not word.startswith("--"):
            yield SHORT, word.removeprefix(SHORT)


def _mount(option: str, value: str) -> Mount | None:
    if option == "--mount":
        given = dict(part.partition("=")[::2] for part in value.split(","))
        source = given.get("source") or given.get("src") or ""
        target = given.get("target") or given.get("dst") or given.get("destination") or ""
    elif option == "--tmpfs":
        source, target = "", value.partition(":")[0]
    else:
        first, apart, rest = value.partition(":")
        source, target = (first, rest.partition(":")[0]) if apart else ("", first)
    return Mount(source if source.startswith("/") else "", target) if target.startswith("/") else None
