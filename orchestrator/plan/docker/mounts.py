"""Mounts: what the inventory's own arguments give a container, and where that has the folder for Hugging Face."""

from pathlib import PurePosixPath

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import HF_HOME, Node
from orchestrator.model.inventory import arguments


@dataclass(frozen=True, slots=True)
class Mount:
    """`source`: empty where it is no folder of the host."""

    source: str
    target: str


def own_mounts(node: Node) -> tuple[Mount, ...]:
    """Those of `docker.args`."""
    args = node.docker.args
    told = [mount for _, mount in arguments.mounts(args)]
    told += [("", value.partition(":")[0]) for _, value in arguments.values(args, "--tmpfs")]
    return tuple(filter(None, (_mount(source, target) for source, target in told)))


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


def _mount(source: str, target: str) -> Mount | None:
    if not target:  # a volume without a name, at that place
        source, target = "", source
    return Mount(source if source.startswith("/") else "", target) if target.startswith("/") else None
