"""What the lab needs of the machine: root, namespaces, and some of Debian's packages."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable

from . import image
from .processes import LabError, UnavailableError, run

PACKAGE_OF = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "rsync": "rsync",
    "ip": "iproute2",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "tmux": "tmux",
    "sudo": "sudo",
    "rootlesskit": "rootlesskit",
    "slirp4netns": "slirp4netns",
    "newuidmap": "uidmap",
    "zsh": "zsh",
    "fish": "fish",
    "tcsh": "tcsh",
    "busybox": "busybox",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
}
# Debian starts and enables a service when it is installed. A tool for tests must not open a port on
# someone's machine, so the four programs which do that are nothing for as long as apt runs, for apt alone.
STARTERS = (
    "/usr/sbin/invoke-rc.d",
    "/usr/sbin/update-rc.d",
    "/usr/bin/deb-systemd-invoke",
    "/usr/bin/deb-systemd-helper",
)
QUIETLY = 'for starter in {starters}; do mount --bind /bin/true "$starter"; done; exec "$@"'
APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y")
ELSEWHERE = "/usr/local/sbin:/usr/sbin:/sbin"  # where programs are that an ordinary user's PATH lacks


def prepare(say: Callable[[str], None]) -> None:
    """Make sure that a lab can be had here, or raise UnavailableError with the reason."""
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{ELSEWHERE}"
    require_root()
    with image.alone():
        packages = missing()
        if packages:
            say(f"installing {' '.join(packages)}")
            _install(packages)
    _require_namespaces()


def missing() -> list[str]:
    packages = {package for command, package in PACKAGE_OF.items() if not shutil.which(command)}
    if importlib.util.find_spec("ensurepip") is None:
        packages.add("python3-venv")
    return sorted(packages)


def require_root() -> None:
    if sys.platform != "linux":
        raise UnavailableError(f"the lab needs Linux; this is {sys.platform}")
    if os.geteuid() != 0:
        raise UnavailableError("the lab needs root, to make network namespaces and run Docker in them")


def _require_namespaces() -> None:
    try:
        run("unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--mount-proc", "true")
    except LabError as problem:
        raise UnavailableError(
            f"the lab needs namespaces, which this machine denies even root: {problem}"
        ) from None


def _install(packages: list[str]) -> None:
    if not shutil.which("apt-get"):
        raise UnavailableError(f"the lab needs {', '.join(packages)}, and this is not Debian")
    install = [*APT, "install", "--no-install-recommends", *packages]
    script = QUIETLY.format(starters=" ".join(STARTERS))
    quietly = ["unshare", "--mount", "bash", "-euc", script, "apt", *install]
    try:
        run(*APT, "update", timeout=600)
        run(*quietly, timeout=1200)
    except LabError as problem:
        last = str(problem).splitlines()[-1]
        raise UnavailableError(
            f"the lab needs {', '.join(packages)}, which apt could not install: {last}"
        ) from None
