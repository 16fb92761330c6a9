"""What is known of a cluster at a moment while it is watched, and the reader of what its hosts tell meanwhile."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.model.cluster import Cluster
from orchestrator.plan.facts.containers import ip_of, ray_table
from orchestrator.plan.facts.host import Container, Facts, RayNode, RayTable, RayTrouble, Unreachable
from orchestrator.plan.status.health import ClusterHealth, assess


@dataclass(frozen=True, slots=True)
class HostPending(Unreachable):
    """A host that has not had the time to answer."""

    why: str = "it is being asked"


@dataclass(frozen=True, slots=True)
class RayPending(RayTrouble):
    """Ray on a head that has not had the time to answer."""

    text: str = "it is being asked"
    gone: bool = False


CHANGES = frozenset(
    {
        *("create", "start", "restart", "die", "died", "oom", "pause", "unpause", "rename"),
        *("destroy", "remove", "stop"),
    }
)
"""What Docker and Podman call that which befalls a container. Our own looks, and who uses `exec`, cause others.

https://docs.docker.com/reference/cli/docker/system/events/, https://docs.podman.io/en/latest/markdown/podman-events.1.html
"""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as `nvidia-smi` tells it; None for what it cannot. Use in percent, memory in MiB, °C, watts."""

    index: int
    use: float | None
    memory_used: float | None
    memory_total: float | None
    temperature: float | None = None
    power: float | None = None


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """A cluster at a moment, by the laptop's clock.

    `gpus`: by host, or the words of an `nvidia-smi` that has failed. `lost`: since when a host could not be
    asked. `containers`: each host's as it was seen last, be the host lost since.
    """

    cluster: Cluster
    facts: Facts
    health: ClusterHealth
    gpus: Mapping[str, tuple[Gpu, ...] | str] = field(default_factory=dict)
    lost: Mapping[str, float] = field(default_factory=dict)
    containers: Mapping[str, Container | None] = field(default_factory=dict)

    @property
    def table(self) -> RayTable | RayTrouble | None:
        return ray_table(self.cluster, self.facts)

    @property
    def pending(self) -> tuple[str, ...]:
        """The hosts that have not had the time to answer; the head's, where Ray on it has not."""
        hosts = tuple(name for name, here in self.facts.items() if isinstance(here, HostPending))
        return hosts or ((self.cluster.head.name,) if isinstance(self.table, RayPending) else ())

    def alive(self, host: str) -> frozenset[RayNode]:
        """The living nodes that Ray lists at a host: two, where it has not yet missed the last one."""
        node = next(node for node in self.cluster.nodes if node.name == host)
        ip, table = ip_of(node, self.facts[host]), self.table
        nodes = table.nodes if isinstance(table, RayTable) else ()
        return frozenset(node for node in nodes if node.ip == ip and node.alive)


def snapshot(
    cluster: Cluster,
    facts: Facts,
    gpus: Mapping[str, tuple[Gpu, ...] | str],
    lost: Mapping[str, float],
    containers: Mapping[str, Container | None],
) -> ClusterSnapshot:
    """A sight, judged as `status` judges."""
    return ClusterSnapshot(cluster, facts, assess(cluster, facts), gpus, lost, containers)


def changes_container(line: str) -> bool:
    """Whether a line of Docker's or Podman's events is about a container's coming, going or state."""
    try:
        told = json.loads(line)
        return str(told.get("Action") or told.get("Status") or "") in CHANGES
    except (ValueError, AttributeError):
        return False


def read_gpus(lines: list[str]) -> tuple[Gpu, ...] | str:
    """The GPUs in an answer of `nvidia-smi`, or its words where it is none."""
    try:
        return tuple(_gpu(line.split(",")) for line in lines)
    except (ValueError, IndexError):
        return " ".join(" ".join(lines).split())


def _gpu(columns: list[str]) -> Gpu:
    index, use, used, total, temperature, power = columns
    return Gpu(int(index), *map(_number, (use, used, total, temperature, power)))


def _number(column: str) -> float | None:
    """A number; None for `[N/A]` and `[Not Supported]`."""
    word = column.strip()
    return None if word.startswith("[") or word == "N/A" else float(word)
