"""Stores: data folders that engines begin with, in which the lab's image is as each keeps it; made once."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from . import debian, engines, image
from .engines import Engine
from .host import Host

ADDRESS = "192.0.2.253"
ARCHIVE = "/home/image.tar"


def store(suite: str, engine: Engine) -> Path | None:
    """Where it stands, or will; None for Docker's own, which reads the template that all hosts share."""
    if engine is Engine.DOCKER:
        return None
    made_of = f"{image.template().name}\n{debian.root(suite).name}\n{engines.STORAGE_CONF}"
    recipe = hashlib.sha256(made_of.encode()).hexdigest()[:12]
    return image.cache() / f"store-{engine.name.lower()}-{suite}-{recipe}"


def make(suite: str, engine: Engine, work: Path, template: Path | None, say: Callable[[str], None]) -> None:
    """The store of that release's engine, unless it is there, or needs none. Its root has to be there."""
    made = store(suite, engine)
    if made is None:
        return
    with image.alone():
        if not made.exists():
            say(f"giving the image to {engine.value} of Debian {suite}; this happens once")
            shutil.rmtree(work, ignore_errors=True)
            _fill(Host("store", ADDRESS, work, template), debian.root(suite), engine)
            (work / engines.data_of(engine)).rename(made)
            shutil.rmtree(work)


def _fill(host: Host, root: Path, engine: Engine) -> None:
    host.furnish(authorized_key="")
    host.install(root)
    host.docker("save", "--output", ARCHIVE, image.TAG, timeout=600)
    host.run("chmod", "a+r", ARCHIVE)
    host.install(root, engine)
    host.docker("load", "--input", ARCHIVE, timeout=600)
    host.stop_docker()
    host.power_off()
