"""Where each value of the resolved cluster comes from: a host's own map, the cluster's, or the defaults."""

from collections.abc import Iterator
from dataclasses import fields
from enum import StrEnum
from itertools import chain

from orchestrator.frozen import dataclass
from orchestrator.model import redact
from orchestrator.model.cluster import CONNECT_TIMEOUT, Cluster, Docker, Node, Ray, Role, Ssh
from orchestrator.model.inventory.fields import Section
from orchestrator.model.inventory.mistakes import Path, dotted
from orchestrator.model.inventory.models import Host, Inventory
from orchestrator.model.inventory.ranges import is_range
from orchestrator.model.inventory.yaml_source import Source

Value = str | int | float | tuple[str, ...] | None

_LEFT_TO_SSH = {("ssh", key) for key in ("user", "port", "key", "jump", "host_keys", "connect_timeout")}


class SettingSource(StrEnum):
    """Who has decided. `ssh`: what `ssh` itself would do, as `ssh -G` tells; the inventory leaves it open."""

    HOST = "host"
    CLUSTER = "cluster"
    DEFAULT = "default"
    SSH = "ssh"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who has decided, and the lines of the file that say so: several for lists, which append.

    `range`: what of the file stands for several hosts, such as `gpu[2-9]`; empty for anything else.
    """

    source: SettingSource
    lines: tuple[int, ...] = ()
    range: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One value, by its key in the inventory, such as `docker.shm_size`. Null: none."""

    key: str
    value: Value
    origin: Origin


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Everything that holds for one host."""

    name: str
    role: Role
    settings: tuple[Setting, ...]


def of_cluster(source: Source, inventory: Inventory, cluster: Cluster) -> tuple[Setting, ...]:
    """What holds for the cluster as a whole."""
    values: dict[Path, Value] = {("cluster",): cluster.name, ("image",): cluster.image}
    values |= {("image", "get_on"): cluster.get_on}
    values |= {("network",): inventory.network} if inventory.network else {}
    values |= {("secrets",): cluster.secrets, ("engine",): cluster.engine, **_section("ray", cluster.ray)}
    for number, model in enumerate(cluster.serve):
        at = ("serve", number) if isinstance(inventory.serve, tuple) else ("serve",)
        values |= {(*at, "name"): model.server, (*at, "model"): model.name}
        values |= {(*at, "args"): redact.arguments(model.args), (*at, "pull"): str(model.pull).lower()}
        values |= {(*at, "liveness"): model.liveness, (*at, "stalled_after"): model.stalled_after}
        values |= {(*at, key): getattr(model, key) or None for key in ("gpus", "hosts", "port")}
    origins = _Origins(source, inventory)
    return tuple(Setting(dotted(key), value, origins.of(key)) for key, value in values.items())


def of_hosts(source: Source, inventory: Inventory, cluster: Cluster) -> tuple[HostSettings, ...]:
    """What holds for each host. Values that look like secrets are hidden."""
    written = chain.from_iterable([each] * each[1].size for each in inventory.hosts())
    return tuple(
        HostSettings(node.name, node.role, tuple(_host(_Origins(source, inventory, host, path), node)))
        for (path, host), node in zip(written, cluster.nodes, strict=True)
    )


def _host(origins: "_Origins", node: Node) -> Iterator[Setting]:
    yield Setting("host", node.host, origins.of_machine("host"))
    yield Setting("name", node.name, origins.of_machine("name", "host"))
    yield Setting("ip", node.ip, origins.of_machine("ip"))
    values = {} if node.is_local else _section("ssh", node.ssh)
    values |= _section("docker", node.docker)
    values |= {("docker", "command"): " ".join(node.docker.command)}
    values |= {("docker", "args"): redact.arguments(node.docker.args)}
    values |= {("env", name): redact.variable(name, value) for name, value in node.env}
    values |= {(key,): getattr(node, key) for key in ("hf_home", "accelerator", "rdma")}
    values |= {("ray", "num_gpus"): node.num_gpus, ("ray", "args"): redact.arguments(node.ray_args)}
    for key, value in values.items():
        if key == ("ssh", "connect_timeout") and value is None:  # SSH's own is not to wait without end
            yield Setting(dotted(key), CONNECT_TIMEOUT, Origin(SettingSource.DEFAULT))
        else:
            yield Setting(dotted(key), value, origins.of(key))


def _section(name: str, resolved: Ssh | Docker | Ray) -> dict[Path, Value]:
    return {(name, each.name): getattr(resolved, each.name) for each in fields(resolved)}


@dataclass(frozen=True, slots=True)
class _Origins:
    """Finds where values are written: for the cluster, and for one host of it."""

    source: Source
    inventory: Inventory
    host: Host | None = None
    path: Path = ()

    def of(self, key: Path) -> Origin:
        """The origin of what a host has of its own or of the cluster."""
        shared = self._line((), self.inventory, key)
        own = self._line(self.path, self.host, key) if self.host else ()
        if own and isinstance(_given(self.inventory, key), tuple):  # lists append
            return Origin(SettingSource.HOST, (*shared, *own))
        if own:
            return Origin(SettingSource.HOST, own)
        if shared:
            return Origin(SettingSource.CLUSTER, shared)
        return Origin(SettingSource.SSH if key in _LEFT_TO_SSH else SettingSource.DEFAULT)

    def of_machine(self, *keys: str) -> Origin:
        """The origin of what each machine has for itself, under the first key that is given; else its network."""
        for key in keys:
            if written := _given(self.host, (key,)):
                range_ = str(written) if is_range(str(written)) else ""
                return Origin(SettingSource.HOST, self._line(self.path, self.host, (key,)), range_)
        return _Origins(self.source, self.inventory).of(("network",))

    def _line(self, path: Path, part: Section | None, key: Path) -> tuple[int, ...]:
        position = self.source.keys.get((*path, *key))
        return (position.line,) if position and _given(part, key) is not None else ()


def _given(part: Section | None, key: Path) -> object:
    """What is written at a path; None for nothing."""
    found: object = part
    for each in key:
        if isinstance(found, tuple) and isinstance(each, int):
            found = found[each]
        else:
            found = found.get(each) if isinstance(found, dict) else getattr(found, str(each), None)
    return found
