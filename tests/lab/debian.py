"""Root file systems of other Debian releases, for hosts that run one: each made once, kept beside the images."""

import hashlib
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

from . import image, processes
from .accounts import USER
from .host import FILES, PLACES
from .processes import run

RECIPE = Path(__file__).with_name("debian.sh")


def root(suite: str) -> Path:
    """Where it stands, or will; a changed recipe has another."""
    recipe = "\n".join([RECIPE.read_text(), *PLACES])
    return image.cache() / f"debian-{suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def make(suite: str, say: Callable[[str], None]) -> Path:
    """The root of that release, made unless it is there."""
    with image.alone():
        made = root(suite)
        if not made.exists():
            say(f"making a Debian {suite}; this happens once and takes some two minutes")
            work = made.with_suffix(".new")
            shutil.rmtree(work, ignore_errors=True)
            _debootstrap(suite, work)
            work.rename(made)
    return made


def _debootstrap(suite: str, work: Path) -> None:
    folders = (place for place in PLACES if place not in FILES)
    recipe: list[str | Path] = ["bash", RECIPE, suite, work, USER, _mirror(), *folders]
    log = work.with_suffix(".log")
    processes.carry_out(recipe, log, failed=f"a Debian {suite} could not be made")
    log.unlink()


def _mirror() -> str:
    """Where this machine's apt gets its own release from; empty where it cannot be told."""
    ours = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    wanted = ("Created-By: Packages", f"Codename: {ours}", "Component: main")
    told = run("apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted, check=False).stdout
    return next(iter(told.splitlines()), "")
