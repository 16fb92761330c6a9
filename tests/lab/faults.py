"""What can go wrong on a host that still stands. `Lab.restore` mends all of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from .host import Host
from .processes import run

CONTAINERS = "/var/lib/docker/containers"
INCOMING = "/var/lib/docker/tmp"
"""Where images are unpacked that somebody brings."""
EMPTY_DISK = f"for place in {CONTAINERS} {INCOMING}; do ! mountpoint -q $place || umount $place; done"
MEND = f"""\
kill -CONT $(cat /run/docker.pid /run/sshd.pid)
{EMPTY_DISK}
for daemon in docker sshd; do
  grep -q $daemon /proc/$(cat /run/$daemon.pid)/comm || echo $daemon lacks
done
"""


def hang(host: Host, daemon: str) -> None:
    """Docker's or SSH's daemon stands still: the kernel takes calls for it, and nobody ever speaks."""
    host.run("sh", "-c", f"kill -STOP $(cat /run/{daemon}.pid)")


def resume(host: Host, daemon: str) -> None:
    host.run("sh", "-c", f"kill -CONT $(cat /run/{daemon}.pid)", check=False)


def drop_connections(host: Host) -> None:
    """Every SSH session breaks, as when a router forgets it; what it had started runs on."""
    host.run("pkill", "-KILL", "-f", "^sshd: root", check=False)


def renew_host_key(host: Host) -> None:
    """As on a host that was installed anew."""
    host.stop_ssh()
    key = host.folder / "etc/ssh/ssh_host_ed25519_key"
    key.unlink()
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", key)
    host.start_ssh()


@contextmanager
def sshd_says(host: Host, *lines: str) -> Iterator[None]:
    """Its SSH server is configured so for as long as this lasts."""
    config = host.folder / "etc/ssh/sshd_config"
    before = config.read_text()
    _configure_ssh(host, "\n".join([*lines, before]))
    try:
        yield
    finally:
        _configure_ssh(host, before)


def _configure_ssh(host: Host, text: str) -> None:
    host.stop_ssh()
    (host.folder / "etc/ssh/sshd_config").write_text(text)
    host.start_ssh()


def fill_disk(host: Host, folder: str = CONTAINERS) -> None:
    """No room is left where Docker keeps what it knows of containers, or in another of its folders."""
    host.run("mount", "-t", "tmpfs", "-o", "size=64k", "none", folder)
    host.run("sh", "-c", f"head -c 1M /dev/zero >{folder}/filler", check=False)


def empty_disk(host: Host) -> None:
    host.run("sh", "-c", EMPTY_DISK, check=False)


def mend(host: Host) -> None:
    """All of the above and services that were stopped: one command, where there is nothing to do."""
    if host.run("sh", "-c", MEND, check=False).stdout or host.has_gpu_hook:
        host.start_services()
