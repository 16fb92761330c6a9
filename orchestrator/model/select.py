"""Which hosts a command is for: `--limit`."""

from fnmatch import fnmatchcase

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Node, Role
from orchestrator.model.inventory.mistakes import did_you_mean, quoted

RESERVED = {"head": Role.HEAD, "workers": Role.WORKER}
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class NoMatch:
    """A limit that selects nothing, or a part of it that does."""

    pattern: str
    known: tuple[str, ...]
    meant: str = ""

    def __str__(self) -> str:
        hint = f'; did you mean "{self.meant}"?' if self.meant else ""
        hint = hint or did_you_mean(self.pattern.removeprefix("!"), self.known)
        names = ", ".join(self.known[:_MOST_NAMED])
        more = f" and {len(self.known) - _MOST_NAMED} more" if len(self.known) > _MOST_NAMED else ""
        return f"no host matches {quoted(self.pattern)}{hint or ';'} the hosts are {names}{more}"


def select(cluster: Cluster, limit: str) -> tuple[Node, ...] | NoMatch:
    """The hosts of a limit such as `head,gpu[1-3]*,!gpu2`, in the order of the inventory.

    Each part has to match: a mistyped `!gpu2` would otherwise act on the very host it should spare.
    """
    names = tuple(node.name for node in cluster.nodes)
    patterns = [pattern.strip() for pattern in limit.split(",")]
    for pattern in patterns:
        if not any(_matches(node, pattern.removeprefix("!")) for node in cluster.nodes):
            return NoMatch(pattern, names, _meant(cluster, pattern))
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")] or ["*"]
    spared = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    chosen = tuple(node for node in cluster.nodes if _matches(node, *wanted) and not _matches(node, *spared))
    return chosen or NoMatch(limit, names)


def _meant(cluster: Cluster, pattern: str) -> str:
    """The pattern for what other tools call so: all hosts, or a host by its address."""
    if pattern == "all":
        return "*"
    return next((node.name for node in cluster.nodes if pattern in (node.host, node.ip)), "")


def _matches(node: Node, *patterns: str) -> bool:
    return any(
        node.role is RESERVED[pattern] if pattern in RESERVED else fnmatchcase(node.name, pattern)
        for pattern in patterns
    )
