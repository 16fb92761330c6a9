"""Root file systems of other Debian releases, for hosts that run one: each made once, kept beside the images."""

import hashlib
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from . import image, processes
from .host import FILES, PLACES
from .processes import UnavailableError, run

RECIPE = Path(__file__).with_name("debian.sh")
# Its own processes, to be ended as one after a crash; its own mounts, because debootstrap makes some.
NAMESPACES = ("--mount", "--pid", "--mount-proc", "--fork", "--kill-child")


def root(suite: str) -> Path:
    """Where it stands, or will; a changed recipe has another."""
    recipe = hashlib.sha256(RECIPE.read_bytes()).hexdigest()[:12]
    return image.cache() / f"debian-{suite}-{recipe}"


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
    recipe: list[str | Path] = ["bash", RECIPE, suite, work, _mirror(), *folders]
    log = work.with_suffix(".log")
    with log.open("w") as output:
        done = subprocess.run(
            processes.marked("builder", "unshare", *NAMESPACES, *recipe),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
        raise UnavailableError(f"a Debian {suite} could not be made:\n{last}")
    log.unlink()


def _mirror() -> str:
    """Where this machine's apt gets its own release from; empty where it cannot be told."""
    ours = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    wanted = ("Created-By: Packages", f"Codename: {ours}", "Component: main")
    told = run("apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted, check=False).stdout
    return next(iter(told.splitlines()), "")
