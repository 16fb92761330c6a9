"""The inventory as written → the cluster: hosts merged, ranges expanded, defaults filled in."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from orchestrator.model.cluster import (
    STALLED_AFTER,
    Cluster,
    Docker,
    Engine,
    Liveness,
    Model,
    Node,
    Ray,
    Role,
    Ssh,
)
from orchestrator.model.inventory import models
from orchestrator.model.inventory.fields import Section
from orchestrator.model.inventory.models import Host, Image, Inventory, Serve


def resolve(inventory: Inventory) -> Cluster:
    """Always works: an `Inventory` that `parse` gave is sound."""
    head, *workers = _nodes(inventory)
    ray = _merged(inventory.ray)
    return Cluster(
        name=inventory.cluster,
        **_image(inventory.image),
        head=head,
        workers=tuple(workers),
        ray=Ray(**{key: ray[key] for key in ("port", "ports", "auth", "install") if key in ray}),
        secrets=inventory.secrets or (),
        engine=inventory.engine or Engine.RAY,
        serve=tuple(_model(each) for _, each in inventory.models()),
    )


def _model(written: Serve) -> Model:
    return Model(
        name=written.model,
        args=written.args or (),
        named=written.name or "",
        gpus=written.gpus or 0,
        hosts=written.hosts or "",
        port=written.port or 0,
        pull=bool(written.pull),
        liveness=written.liveness or Liveness.ON,
        stalled_after=written.stalled_after or STALLED_AFTER,
    )


def joining(inventory: Inventory, name: str, host: str, user: str | None, port: int | None) -> Node:
    """A worker that the inventory does not have yet, with all that holds for each; its `ip` is not known."""
    ssh = models.Ssh(user=user, port=port) if user or port else None
    return replace(_shared(inventory, Host(host=host, ssh=ssh), Role.WORKER), name=name, host=host)


def _image(written: str | Image) -> dict[str, Any]:
    if isinstance(written, str):
        return {"image": written}
    return {"image": written.from_} | ({"get_on": written.get_on} if written.get_on else {})


def _nodes(inventory: Inventory) -> Iterator[Node]:
    for path, host in inventory.hosts():
        shared = _shared(inventory, host, Role.HEAD if path == ("head",) else Role.WORKER)
        for machine in host.machines():
            yield replace(shared, **machine._asdict())


def _shared(inventory: Inventory, host: Host, role: Role) -> Node:
    """What all machines of a range have in common: the cluster's settings, and over them the host's."""
    ray = _merged(inventory.ray, host.ray)
    scalars = _merged(inventory, host)
    return Node(
        name="",
        host="",
        role=role,
        ip=None,
        network=None if host.ip else inventory.network,
        ssh=Ssh(**_merged(inventory.ssh, host.ssh)),
        docker=_docker(inventory, host),
        env=tuple({**(inventory.env or {}), **(host.env or {})}.items()),
        num_gpus=ray.get("num_gpus"),
        ray_args=ray.get("args", ()),
        **{key: scalars[key] for key in ("hf_home", "accelerator", "rdma") if key in scalars},
    )


def _docker(inventory: Inventory, host: Host) -> Docker:
    docker = _merged(inventory.docker, host.docker)
    if "command" in docker:
        docker["command"] = tuple(shlex.split(docker["command"]))
    return Docker(**docker)


def _merged(*parts: Section | None) -> dict[str, Any]:
    """Later parts win, but lists append."""
    merged: dict[str, Any] = {}
    for part in filter(None, parts):
        for key, value in part.given().items():
            merged[key] = merged.get(key, ()) + value if isinstance(value, tuple) else value
    return merged
