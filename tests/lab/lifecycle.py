"""Bringing the lab up, finding one that stands, and taking it down whole, also after a crash."""

import contextlib
import fcntl
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from . import image, network, packages, processes
from .build import build
from .files import delete
from .host import PLACES, Host
from .lab import Lab
from .laptop import Laptop
from .processes import LabError

MOST = 200  # what fits into 192.0.2.11 and up
# Folders which a mount needs, and which the machine may not have: made, and removed again if still empty.
MOUNT_POINTS = ("/root/.ssh", *(f"/{place}" for place in PLACES if place != "etc/shadow"))

Say = Callable[[str], None]


def up(count: int, say: Say) -> Lab:
    """Bring up a lab of `count` hosts, unless one stands that is whole and the same."""
    if not 1 <= count <= MOST:
        raise LabError(f"a lab has 1 to {MOST} hosts, not {count}")
    packages.prepare(say)
    with alone():
        lab = standing()
        if lab and len(lab.hosts) == count and _is_ours_and_whole(lab):
            say(f"a lab of {count} stands already")
            return replace(lab, is_new=False)
        _clear()
        return _make(count, say)


@contextlib.contextmanager
def in_order(count: int, say: Say) -> Iterator[Lab]:
    """A lab in order, with a folder to work in; one that stood before stands again afterwards."""
    folder = Path(tempfile.mkdtemp())
    lab = up(count, say).at(folder)
    lab.restore()
    try:
        yield lab
    finally:
        lab.restore()
        if lab.is_new:
            down()
        delete(folder)


def down() -> None:
    """End everything that any `up` ever started here."""
    packages.require_root()
    with alone():
        _clear()


def standing() -> Lab | None:
    """The lab that was brought up last, whatever its condition."""
    with contextlib.suppress(FileNotFoundError):
        record = json.loads((_folder() / "lab.json").read_text())
        return _lab(record["count"], Path(record["template"]))
    return None


def _make(count: int, say: Say) -> Lab:
    _folder().mkdir(parents=True)
    _make_mount_points()
    network.start_switch(_folder() / "switch.log")
    build(_folder() / "template", say)
    lab = _lab(count, image.template())
    lab.boot()
    # Written last: a lab that was interrupted on its way up is none.
    record = {"count": count, "template": str(image.template())}
    (_folder() / "lab.json").write_text(json.dumps(record))
    return lab


def _lab(count: int, template: Path) -> Lab:
    names = {f"gpu{number}": network.address_of(number) for number in range(1, count + 1)}
    hosts = {name: Host(name, address, _folder() / name, template) for name, address in names.items()}
    return Lab(hosts, Laptop(_folder() / "laptop"), Path.cwd())


def _is_ours_and_whole(lab: Lab) -> bool:
    same = all(host.template == image.template() for host in lab.hosts.values())
    return same and lab.is_whole


def _clear() -> None:
    processes.end_all()
    _remove_mount_points()
    delete(_folder())


def _folder() -> Path:
    # Beside the template: layers, and copies of them, stay on one filesystem.
    return image.cache() / "lab"


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One at a time changes the lab or its cache."""
    image.cache().mkdir(parents=True, exist_ok=True)
    with (image.cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_mount_points() -> None:
    made = [place for place in MOUNT_POINTS if not Path(place).exists()]
    (_folder() / "made.json").write_text(json.dumps(made))
    for place in made:
        Path(place).mkdir(parents=True, mode=0o700)


def _remove_mount_points() -> None:
    with contextlib.suppress(FileNotFoundError):
        for place in json.loads((_folder() / "made.json").read_text()):
            with contextlib.suppress(OSError):
                Path(place).rmdir()
