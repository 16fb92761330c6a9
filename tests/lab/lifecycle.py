"""Bringing a lab up, finding one that stands, and taking it down whole, also after a crash."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from . import image, network, packages, processes
from .build import build
from .files import delete, locked
from .host import FILES, PLACES, Host
from .lab import Lab
from .laptop import Laptop
from .processes import CHECKOUT, LabError

MOST = 200  # what fits into 192.0.2.11 and up
# Folders which a mount needs, and which the machine may not have. They stay: where one is removed, the kernel
# takes away what other labs have mounted there.
MOUNT_POINTS = ("/root/.ssh", *(f"/{place}" for place in PLACES if place not in FILES))
STAYS = "it stays"

Say = Callable[[str], None]


def up(count: int, say: Say) -> Lab:
    """Bring up a lab of `count` hosts, unless one stands that is whole and the same."""
    if not 1 <= count <= MOST:
        raise LabError(f"a lab has 1 to {MOST} hosts, not {count}")
    packages.prepare(say)
    with _alone(processes.lab()):
        lab = standing()
        if lab and len(lab.hosts) == count and _is_ours_and_whole(lab):
            say(f"a lab of {count} stands already")
            return replace(lab, is_new=False)
        _clear(processes.lab())
        return _make(count, say)


@contextlib.contextmanager
def lent(count: int, say: Say) -> Iterator[Lab]:
    """A lab for as long as the block lasts, even if we are killed in it; one that stood before is left standing."""
    packages.require_root()
    with _ended_after_us() as ending:
        lab = up(count, say)
        if not lab.is_new:
            ending.write(STAYS)
            ending.flush()
        yield lab


@contextlib.contextmanager
def in_order(count: int, say: Say) -> Iterator[Lab]:
    """A lab in order, with a folder to work in; one that stood before stands again afterwards."""
    folder = Path(tempfile.mkdtemp())
    try:
        with lent(count, say) as lab:
            lab.restore()
            try:
                yield lab.at(folder)
            finally:
                lab.restore()
    finally:
        delete(folder)


@contextlib.contextmanager
def _ended_after_us() -> Iterator[IO[str]]:
    """Takes the lab down after the block, or after this process, whatever it dies of; unless told that it STAYS."""
    guard = [sys.executable, "-m", "tests.lab.lifecycle"]
    # Out of the terminal's reach: a second Ctrl-C is no reason to leave a lab behind.
    with subprocess.Popen(
        guard, stdin=subprocess.PIPE, text=True, cwd=CHECKOUT, start_new_session=True
    ) as ending:
        assert ending.stdin
        yield ending.stdin


def down() -> None:
    """End everything that any `up` of this name ever started here, those of pytest-xdist's workers included."""
    packages.require_root()
    for name in _family():
        with _alone(name):
            _clear(name)


def _family() -> list[str]:
    ours = processes.lab()
    return [ours, *(each.name for each in _labs().glob(f"{ours}.*") if each.is_dir())]


def standing() -> Lab | None:
    """The lab that was brought up last, whatever its condition."""
    with contextlib.suppress(FileNotFoundError):
        return _lab(json.loads((_folder() / "lab.json").read_text())["count"])
    return None


def _make(count: int, say: Say) -> Lab:
    _folder().mkdir(parents=True)
    make_mount_points()
    network.start_switch(_folder() / "switch.log")
    with image.alone():
        build(_folder() / "template", _images(), say)
        _image().symlink_to(image.template())
    lab = _lab(count)
    lab.boot()
    # Written last: a lab that was interrupted on its way up is none.
    (_folder() / "lab.json").write_text(json.dumps({"count": count}))
    return lab


def make_mount_points() -> None:
    for place in MOUNT_POINTS:
        Path(place).mkdir(parents=True, exist_ok=True, mode=0o700)


def _lab(count: int) -> Lab:
    names = {f"gpu{number}": network.address_of(number) for number in range(1, count + 1)}
    template = _image().resolve()
    hosts = {name: Host(name, address, _folder() / name, template) for name, address in names.items()}
    return Lab(hosts, Laptop(_folder() / "laptop"), Path.cwd())


def _is_ours_and_whole(lab: Lab) -> bool:
    return _image().resolve() == image.template() and lab.is_whole


def _clear(name: str) -> None:
    processes.end_all(name)
    delete(_labs() / name)


def _labs() -> Path:
    # Beside the template: layers, and copies of them, stay on one filesystem.
    return image.cache() / "labs"


def _folder() -> Path:
    return _labs() / processes.lab()


def _image() -> Path:
    """A link to the template that our lab's hosts are lent."""
    return _folder() / "image"


def _images() -> list[Path]:
    return [link.resolve() for link in _labs().glob("*/image")]


def _alone(name: str) -> contextlib.AbstractContextManager[None]:
    """One at a time changes a lab."""
    return locked(_labs() / f"{name}.lock")


if __name__ == "__main__":  # see `_ended_after_us`
    if STAYS not in sys.stdin.read():
        down()
