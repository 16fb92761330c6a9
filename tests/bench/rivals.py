"""What a person would use instead, each asked for the same: one command on all hosts, 32 of them at once."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.lab import image
from tests.lab.processes import LabError, run

from .farm import Farm

JOBS = 32
PINS = Path(__file__).with_name("rivals.txt")
PIP = ("--quiet", "--disable-pip-version-check", "--requirement", PINS)
Argv = list[str | Path]
UNCHECKED = "Fabric's ThreadingGroup"
"""It does not check host keys, which is less work."""

ANSIBLE = """\
[defaults]
host_key_checking = True
nocows = True
home = {home}/ansible
remote_user = root
[ssh_connection]
ssh_args =
"""
"""Without ControlPersist, which leaves connections behind for a minute: the next run would find them."""


def installed(say: Callable[[str], None]) -> Path | None:
    """The folder of their programs, made once; None where pip cannot have them, which is said."""
    folder = image.cache() / "rivals"
    mark = folder / ".installed"
    if mark.exists() and mark.read_text() == PINS.read_text():
        return folder / "bin"
    say(f"installing {', '.join(PINS.read_text().split())}")
    try:
        run(sys.executable, "-m", "venv", "--clear", folder)
        run(folder / "bin/pip", "install", *PIP, timeout=600)
    except LabError as problem:
        say(f"left out, not installable here: {PINS.read_text().split()}: {str(problem).splitlines()[-1]}")
        return None
    mark.write_text(PINS.read_text())  # last, so that an installation which was interrupted is done again
    return folder / "bin"


def floor(farm: Farm, commands: Path) -> Argv:
    """Paramiko by hand; `commands`: the file with the command of each address."""
    ssh = farm.home / ".ssh"
    return [*_bare(), ssh / "id_ed25519", ssh / "known_hosts", commands]


def rivals(farm: Farm, count: int, commands: Path, programs: Path | None) -> Mapping[str, Argv]:
    """By name, the command line that runs `docker ps` on the first `count` hosts."""
    hosts = farm.home / f"hosts{count}"
    hosts.write_text("".join(f"{address}\n" for address in farm.addresses(count)))
    xargs = ("xargs", "-a", hosts, "-P", str(JOBS), "-I{}", "ssh", "-n", "-o", "BatchMode=yes", "{}")
    ways: dict[str, Argv] = {
        "xargs ssh": [*xargs, "docker", "ps"],
        UNCHECKED: [*_bare(), "--fabric", farm.home / ".ssh/id_ed25519", commands],
    }
    return ways if programs is None else ways | _installed(farm, hosts, programs)


def _installed(farm: Farm, hosts: Path, programs: Path) -> dict[str, Argv]:
    settings = farm.home / "ansible.cfg"
    settings.write_text(ANSIBLE.format(home=farm.home))
    addresses = hosts.read_text().split()
    listed = hosts.with_suffix(".py")  # as a word of the command line, 50 would be too long for it
    listed.write_text(f"hosts = {addresses!r}\n")
    raw = ("all", "-i", hosts, "-m", "raw", "-a", "docker ps", "-f", str(JOBS))
    ssh = ("--yes", "--parallel", str(JOBS), "--user", "root", "exec", "--", "docker", "ps")
    return {
        "Ansible": ["env", f"ANSIBLE_CONFIG={settings}", programs / "ansible", *raw],
        "pyinfra": [programs / "pyinfra", listed, *ssh],
        "clush": [programs / "clush", "-f", str(JOBS), "-w", ",".join(addresses), "docker", "ps"],
    }


def _bare() -> Argv:
    return [sys.executable, "-m", "tests.bench.bare"]
