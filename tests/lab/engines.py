"""Engines that run a host's containers, and how each is told to do so in a lab."""

import json
import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from . import image, processes
from .accounts import USER, USER_ID
from .files import delete
from .processes import run

DATA = ("var/lib/docker", "var/lib/containers")
"""Where they keep images and containers."""
SETTINGS = ("etc/docker", "etc/containers")
AS_USER = ("setpriv", f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups")
WRITTEN_ONCE = ("*/diff/*", "*/fs/*", "*/blobs/*")
"""The files of layers: nobody writes there again, so hosts share them."""
COPY = """\
cp --archive --link "$1/." "$2"
cd "$1"
find . \\( -path "$3" -o -path "$4" -o -path "$5" \\) -prune -o -type f -print0 |
  xargs -0 --no-run-if-empty cp --archive --parents --remove-destination --target-directory "$2"
"""
# The cgroups of this kind of machine are of version 1, which crun refuses where there is a bit of version 2.
CONTAINERS_CONF = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
log_driver = "k8s-file"
"""
STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
rootless_storage_path = "/var/lib/containers/user"
"""
POLICY = {"default": [{"type": "insecureAcceptAnything"}]}
REGISTRIES_CONF = 'unqualified-search-registries = ["docker.io"]\n'


class Engine(Enum):
    """By its name. Docker keeps images in a store of its own, or in that of containerd."""

    DOCKER = "Docker"
    CONTAINERD = "Docker with the containerd image store"
    PODMAN = "Podman"
    ROOTLESS = "rootless Podman"

    @property
    def is_podman(self) -> bool:
        return self in (Engine.PODMAN, Engine.ROOTLESS)

    @property
    def command(self) -> tuple[str, ...]:
        """What runs it on the host, as whoever its containers belong to."""
        if self is Engine.ROOTLESS:
            return (*AS_USER, "env", f"HOME=/home/{USER}", f"USER={USER}", "podman")
        return ("podman",) if self is Engine.PODMAN else ("docker",)

    @property
    def inventory(self) -> Mapping[str, Any]:
        """What an inventory says of a host with it."""
        user = {"ssh": {"user": USER}} if self is Engine.ROOTLESS else {}
        return {"docker": {"command": "podman"}, **user} if self.is_podman else {}


def of(folder: Path) -> Engine:
    """The one of the host in this folder."""
    chosen = folder / "engine"
    return Engine(chosen.read_text()) if chosen.exists() else Engine.DOCKER


def furnish(folder: Path, engine: Engine, template: Path | None, store: Path | None = None) -> None:
    """Give the host this engine, with its settings and images. `store`: a data folder, where the template is none."""
    for place in (*DATA, *SETTINGS):
        delete(folder / place)
    (folder / "engine").write_text(engine.value)
    image.copy_into(folder / DATA[0], template if engine is Engine.DOCKER else None)
    (folder / DATA[1]).mkdir(parents=True)
    if store:
        run("bash", "-euc", COPY, "copy", store, folder / data_of(engine), *WRITTEN_ONCE, timeout=300)
    if engine is Engine.ROOTLESS:
        (user := folder / DATA[1] / "user").mkdir(exist_ok=True)
        os.chown(user, USER_ID, USER_ID)
    _furnish_docker(folder, engine)
    _furnish_podman(folder)


def data_of(engine: Engine) -> str:
    return DATA[engine.is_podman]


def _furnish_docker(folder: Path, engine: Engine) -> None:
    settings = {
        "bridge": "none",
        "iptables": False,
        "cgroup-parent": f"/{processes.cgroup()}/{folder.name}",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "features": {"containerd-snapshotter": engine is Engine.CONTAINERD},
    }
    (folder / "etc/docker").mkdir(parents=True)
    (folder / "etc/docker/daemon.json").write_text(json.dumps(settings))


def _furnish_podman(folder: Path) -> None:
    (place := folder / "etc/containers").mkdir(parents=True)
    (place / "containers.conf").write_text(CONTAINERS_CONF)
    (place / "storage.conf").write_text(STORAGE_CONF)
    (place / "policy.json").write_text(json.dumps(POLICY))
    (place / "registries.conf").write_text(REGISTRIES_CONF)
