"""What can go wrong on a host that still stands. `Lab.restore` mends all of it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from .accounts import SHADOW
from .host import Host
from .processes import run, wait_until

CONTAINERS = "/var/lib/docker/containers"
ROOTLESS = """\
mkdir -p run
export PATH=$PATH:/usr/sbin:/sbin XDG_RUNTIME_DIR=$HOME/run
options='--storage-driver vfs --iptables=false --bridge=none'
setsid --fork /usr/share/docker.io/contrib/dockerd-rootless.sh $options >docker.log 2>&1
"""
INCOMING = "/var/lib/docker/tmp"
"""Where images are unpacked that somebody brings."""
SUDOERS_D = "@includedir /etc/sudoers.d\n"
EMPTY_DISK = f"for place in {CONTAINERS} {INCOMING}; do ! mountpoint -q $place || umount $place; done"
MEND = f"""\
kill -CONT $(cat /run/docker.pid /run/sshd.pid)
{EMPTY_DISK}
[ -w /root ] || mount -o remount,bind,rw /root
ip -6 address flush dev eth0 scope global
for daemon in docker sshd; do
  grep -q $daemon /proc/$(cat /run/$daemon.pid)/comm || echo $daemon lacks
done
"""


def hang(host: Host, daemon: str) -> None:
    """Docker's or SSH's daemon stands still: the kernel takes calls for it, and nobody ever speaks."""
    host.run("sh", "-c", f"kill -STOP $(cat /run/{daemon}.pid)")


def resume(host: Host, daemon: str) -> None:
    host.run("sh", "-c", f"kill -CONT $(cat /run/{daemon}.pid)", check=False)


@contextmanager
def hanging(host: Host, daemon: str) -> Iterator[None]:
    """It does so for as long as this lasts."""
    hang(host, daemon)
    try:
        yield
    finally:
        resume(host, daemon)


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
    host.set_sshd(*lines)
    try:
        yield
    finally:
        host.set_sshd()


def protect_home(host: Host) -> None:
    """Nothing can be written in root's home."""
    host.run("mount", "-o", "remount,bind,ro", "/root")


def fill_disk(host: Host, folder: str = CONTAINERS) -> None:
    """No room is left where Docker keeps what it knows of containers, or in another of its folders."""
    host.run("mount", "-t", "tmpfs", "-o", "size=64k", "none", folder)
    host.run("sh", "-c", f"head -c 1M /dev/zero >{folder}/filler", check=False)


def empty_disk(host: Host) -> None:
    host.run("sh", "-c", EMPTY_DISK, check=False)


@contextmanager
def engine_settings(host: Host, **changes: Any) -> Iterator[None]:
    """Docker runs with other settings; those of daemon.json, `_` standing for the hyphen."""
    file = host.folder / "etc/docker/daemon.json"
    ready = file.read_text()
    changed = json.loads(ready) | {name.replace("_", "-"): value for name, value in changes.items()}
    try:
        _restart_engine(host, json.dumps(changed))
        yield
        host.remove_containers()
    finally:
        _restart_engine(host, ready)


def _restart_engine(host: Host, settings: str) -> None:
    host.stop_docker()
    (host.folder / "etc/docker/daemon.json").write_text(settings)
    host.start_docker()


@contextmanager
def other_file(host: Host, path: str, text: str) -> Iterator[None]:
    """The host has a file of its own where all hosts see the machine's."""
    own = "/run/own" + path.replace("/", "-")
    (host.folder / own.lstrip("/")).write_text(text)
    with _mounted(host, own, path):
        yield


@contextmanager
def user_ana(host: Host, sudoers: str) -> Iterator[None]:
    """The host has a user of that name, and these rules for `sudo`, beside those for root."""
    with ExitStack() as stack:
        passwd = host.run("cat", "/etc/passwd").stdout
        stack.enter_context(other_file(host, "/etc/passwd", f"{passwd}ana:x:4711:4711::/tmp/ana:/bin/bash\n"))
        stack.enter_context(other_file(host, "/etc/shadow", SHADOW + SHADOW.replace("root", "ana")))
        stack.enter_context(
            other_file(host, "/etc/sudoers", f"root ALL=(ALL:ALL) ALL\n{sudoers}\n{SUDOERS_D}")
        )
        host.run("mkdir", "-p", "/run/sudoers.d", "/tmp/ana")
        host.run("chown", "4711:4711", "/tmp/ana")
        stack.enter_context(_mounted(host, "/run/sudoers.d", "/etc/sudoers.d"))
        yield
        host.run("rm", "-rf", "/tmp/ana", "/run/sudoers.d")


@contextmanager
def rootless_docker(host: Host) -> Iterator[str]:
    """User ana runs a Docker of her own, which listens there."""
    with ExitStack() as stack:
        for file in ("/etc/subuid", "/etc/subgid"):
            stack.enter_context(other_file(host, file, "ana:100000:65536\n"))
        host.run("sh", "-c", "[ -e /run/tun ] || mknod -m 666 /run/tun c 10 200")
        stack.enter_context(_mounted(host, "/run/tun", "/dev/net/tun"))
        host.run("su", "--login", "ana", "--command", ROOTLESS)
        stack.callback(host.run, "sh", "-c", "pkill -u ana; while pgrep -u ana; do sleep 0.1; done")
        endpoint = "unix:///tmp/ana/run/docker.sock"
        seen = partial(host.run, "docker", "-H", endpoint, "version", check=False)
        wait_until(f"ana's Docker answers on {host.name}", lambda: seen().returncode == 0)
        yield endpoint


@contextmanager
def _mounted(host: Host, own: str, path: str) -> Iterator[None]:
    host.run("mount", "--bind", own, path)
    try:
        yield
    finally:
        host.run("umount", path)


def mend(host: Host) -> None:
    """All of the above and services that were stopped: one command, where there is nothing to do."""
    if host.run("sh", "-c", MEND, check=False).stdout or host.has_gpu_hook:
        host.start_services()
