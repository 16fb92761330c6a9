"""Where each value of the resolved cluster comes from: a host's own map, the cluster's, or the defaults."""

from collections.abc import Iterator
from dataclasses import fields
from enum import StrEnum
from itertools import chain

from orchestrator.frozen import dataclass
from orchestrator.model import redact
from orchestrator.model.cluster import Cluster, Node, Role
from orchestrator.model.inventory.fields import Section
from orchestrator.model.inventory.mistakes import Path, dotted
from orchestrator.model.inventory.models import Host, Inventory
from orchestrator.model.inventory.ranges import is_range
from orchestrator.model.inventory.yaml_source import Source

Value = str | int | float | tuple[str, ...] | None

_LEFT_TO_SSH = {("ssh", key) for key in ("user", "port", "key", "jump")}


class From(StrEnum):
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

    source: From
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
    values |= {("image", "build_on"): cluster.build_on}
    values |= {("network",): inventory.network} if inventory.network else {}
    values |= {("secrets",): cluster.secrets, ("engine",): cluster.engine}
    values |= {("ray", each.name): getattr(cluster.ray, each.name) for each in fields(cluster.ray)}
    if model := cluster.serve:
        values |= {("serve", "model"): model.name, ("serve", "args"): redact.arguments(model.args)}
    return tuple(
        Setting(dotted(key), value, _origin(source, inventory, None, (), key))
        for key, value in values.items()
    )


def of_hosts(source: Source, inventory: Inventory, cluster: Cluster) -> tuple[HostSettings, ...]:
    """What holds for each host. Values that look like secrets are hidden."""
    written = chain.from_iterable([each] * each[1].size for each in inventory.hosts())
    return tuple(
        HostSettings(node.name, node.role, tuple(_host(source, inventory, path, host, node)))
        for (path, host), node in zip(written, cluster.nodes, strict=True)
    )


def _host(source: Source, inventory: Inventory, path: Path, host: Host, node: Node) -> Iterator[Setting]:
    for key in ("host", "name", "ip"):
        said = key if getattr(host, key) else "host" if key == "name" else "network"
        yield Setting(key, getattr(node, key), _own(source, inventory, path, host, said))
    for where, value in _values(node).items():
        origin = _origin(source, inventory, host, path, where)
        if origin.source is From.DEFAULT and where in _LEFT_TO_SSH:
            origin = Origin(From.SSH)
        yield Setting(dotted(where), value, origin)


def _own(source: Source, inventory: Inventory, path: Path, host: Host, key: str) -> Origin:
    """Where the host's own address or name stands; its address may only be in the cluster's network."""
    if key == "network":
        return _origin(source, inventory, None, (), ("network",))
    written = str(getattr(host, key))
    return Origin(From.HOST, _line(source, (*path, key)), written if is_range(written) else "")


def _values(node: Node) -> dict[Path, Value]:
    ssh = () if node.is_local else fields(node.ssh)
    values: dict[Path, Value] = {("ssh", each.name): getattr(node.ssh, each.name) for each in ssh}
    values |= {("docker", each.name): getattr(node.docker, each.name) for each in fields(node.docker)}
    values[("docker", "command")] = " ".join(node.docker.command)
    values[("docker", "args")] = redact.arguments(node.docker.args)
    values |= {("env", name): redact.variable(name, value) for name, value in node.env}
    values |= {(key,): getattr(node, key) for key in ("hf_home", "accelerator", "rdma")}
    return values | {
        ("ray", "num_gpus"): node.num_gpus,
        ("ray", "args"): redact.arguments(node.ray_args),
    }


def _origin(source: Source, inventory: Inventory, host: Host | None, path: Path, key: Path) -> Origin:
    own = _line(source, (*path, *key)) if host and _given(host, key) is not None else ()
    shared = _line(source, key) if (given := _given(inventory, key)) is not None else ()
    if own and isinstance(given, tuple):  # lists append
        return Origin(From.HOST, (*shared, *own))
    if own:
        return Origin(From.HOST, own)
    return Origin(From.CLUSTER, shared) if shared else Origin(From.DEFAULT)


def _given(part: Section, key: Path) -> object:
    """What is written at a path; None for nothing."""
    found: object = part
    for each in key:
        found = found.get(each) if isinstance(found, dict) else getattr(found, str(each), None)
    return found


def _line(source: Source, path: Path) -> tuple[int, ...]:
    position = source.keys.get(path)
    return (position.line,) if position else ()
