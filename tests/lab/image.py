"""The images that all hosts are born with: kept as a Docker data folder, shared by their layers."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .files import locked
from .processes import run

RAY = "ray==2.60.0"
TAG = "raylab:latest"
RECIPE = Path(__file__).with_name("image.sh")
# Each a layer of packages on top of the first image, for the tests that want it: no other is slower for it.
LAYERS = {"raylab:old": "ray==2.54.0", "raylab:dashboard": f"ray[default]{RAY.removeprefix('ray')}"}
LAYER_RECIPE = Path(__file__).with_name("layer.sh")
CHANGES = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV HOME=/root",
)


def cache() -> Path:
    chosen = os.environ.get("RAYCLUSTER_LAB_CACHE") or "~/.cache/raycluster-lab"
    return Path(chosen).expanduser().resolve()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One at a time makes what all labs of this machine share."""
    with locked(cache() / "lock"):
        yield


def template() -> Path:
    """Where the template stands, or will; a changed recipe, Ray or Docker has another."""
    docker = run("dockerd", "--version").stdout
    recipe = "\n".join([RAY, docker, RECIPE.read_text(), *CHANGES, str(LAYERS), LAYER_RECIPE.read_text()])
    return cache() / f"template-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def copy_into(data: Path, template: Path | None) -> None:
    """Fill a Docker data folder from the template: all but the layers' files, which are mounted there."""
    data.mkdir(parents=True)
    if template is None:
        return
    layers = template / "overlay2"
    if layers.exists():
        shutil.copytree(template / "image", data / "image")
        shutil.copytree(layers, data / "overlay2", symlinks=True, ignore=_without_files)
    else:  # another storage driver, whose layers cannot be shared: slower, and as good
        run("cp", "--archive", "--reflink=auto", f"{template}/.", data)


def _without_files(folder: str, names: list[str]) -> list[str]:
    return names if Path(folder).name == "diff" else []
