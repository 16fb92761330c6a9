"""Building the image, once, on a host of its own that lasts no longer."""

import shutil
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from . import image, processes
from .host import Host

Say = Callable[[str], None]


def build(work: Path, used: Collection[Path], say: Say) -> None:
    """Make the template unless it is there; an interrupted build leaves nothing that looks like one.

    Older templates are removed, but for those that are `used` by labs which stand.
    """
    template = image.template()
    if template.exists():
        return
    say(f"building the image with {image.RAY}; this happens once and takes about two minutes")
    builder = Host("template", "192.0.2.254", work)
    builder.furnish(authorized_key="")
    builder.power_on()
    _make_root(work / "tmp/image", work.parent / "image.log")
    _import(builder)
    builder.power_off()
    for old in {*image.cache().glob("template-*")} - {*used}:
        shutil.rmtree(old)
    (work / "var/lib/docker").rename(template)
    shutil.rmtree(work)


def _make_root(root: Path, log: Path) -> None:
    pip = python_with_pip(root.parent / "venv")
    layers = [word for tag, packages in image.LAYERS.items() for word in (_layer(root, tag), packages)]
    recipe: list[str | Path] = ["bash", image.RECIPE, root, pip, image.RAY, *layers]
    processes.carry_out(recipe, log, failed="the image could not be built")


def _layer(root: Path, tag: str) -> Path:
    return root.with_name(tag.replace(":", "-"))


def python_with_pip(folder: Path) -> Path:
    """A Python with pip: the one that runs us may have none, and Debian's own refuses to install."""
    processes.run(sys.executable, "-m", "venv", folder)
    return folder / "bin/python"


def _import(builder: Host) -> None:
    changes = " ".join(f"--change '{change}'" for change in image.CHANGES)
    builder.start_docker()
    builder.run("bash", "-c", f"tar -C /tmp/image -c . | docker import {changes} - {image.TAG}", timeout=600)
    for tag in image.LAYERS:
        folder = _layer(Path("/tmp/image"), tag)
        builder.variant(tag, image.LAYER_RECIPE.read_text(), "--volume", f"{folder}:/layer:ro")
    builder.stop_docker()
