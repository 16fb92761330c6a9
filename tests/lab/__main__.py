"""The lab by hand; `tests/lab/lab help` lists the commands."""

import os
import shutil
import sys
from collections.abc import Callable

from . import faults, lifecycle, packages
from .host import Host
from .lab import Lab
from .processes import LabError

HELP = """\
usage: lab COMMAND

  up [N]                   bring up N hosts (3): gpu1 at 192.0.2.11, gpu2 at 192.0.2.12 ...
  down                     end everything the lab started, and the labs of `pytest -n`
  status                   each host: cable, SSH, Docker, containers
  inventory                an inventory.yaml of the lab
  laptop CMD...            run a command on the laptop, in this folder
  ssh HOST [CMD...]        the laptop's ssh
  host HOST CMD...         run a command on a host, without SSH
  cut HOST, mend HOST      pull its network cable, plug it back
  stop-docker HOST, start-docker HOST, stop-ssh HOST, start-ssh HOST
  hang-docker HOST, resume-docker HOST, hang-ssh HOST, resume-ssh HOST
  drop-ssh HOST            break every SSH connection to it
  fill-disk HOST, empty-disk HOST
  reboot HOST              as after a power cut
  packages                 install what the lab needs of Debian

RAYCLUSTER_LAB=NAME        another lab than the one that is named after the checkout's folder; they stand side by side
"""


SETTINGS = "RAYCLUSTER_LAB,RAYCLUSTER_LAB_CACHE"


def main() -> None:
    command, words = (sys.argv[1:2] or ["help"])[0], sys.argv[2:]
    try:
        _act(command, words)
    except LabError as problem:
        say(str(problem))
        sys.exit(1)


def _act(command: str, words: list[str]) -> None:
    if command in ALONE:
        _as_root()
        ALONE[command](words)
    elif command in WITH_LAB:
        _as_root()
        WITH_LAB[command](_standing(), words)
    elif command in WITH_HOST and words:
        _as_root()
        WITH_HOST[command](_host(_standing(), words[0]))
    else:
        sys.stdout.write(HELP)
        sys.exit(0 if command in ("help", "-h", "--help") else 2)


def say(text: str) -> None:
    sys.stderr.write(f"lab: {text}\n")


def _as_root() -> None:
    if os.geteuid() and shutil.which("sudo"):
        os.execvp("sudo", ["sudo", f"--preserve-env={SETTINGS}", "--", sys.executable, *sys.argv])


def _standing() -> Lab:
    lab = lifecycle.standing()
    if lab is None:
        raise LabError("no lab stands; bring one up: lab up")
    return lab


def _host(lab: Lab, name: str) -> Host:
    if name not in lab.hosts:
        raise LabError(f"no host {name}; there are {', '.join(lab.hosts)}")
    return lab.hosts[name]


def _up(words: list[str]) -> None:
    number = words[0] if words else "3"
    if not number.isdecimal():
        raise LabError(f"how many hosts is {number!r}?")
    lab = lifecycle.up(int(number), say)
    sys.stdout.write("".join(f"{host.name}  {host.address}\n" for host in lab.hosts.values()))


def _status(lab: Lab, _: list[str]) -> None:
    for host in lab.hosts.values():
        sys.stdout.write(f"{host.name}  {host.address}  {_condition(host)}\n")


def _condition(host: Host) -> str:
    if not host.is_on:
        return "off"
    docker = (
        f"docker {len(host.docker('ps', '--quiet').split())} running" if host.docker_runs else "no docker"
    )
    return f"{'plugged' if host.is_plugged else 'cut'}, {'ssh' if host.ssh_runs else 'no ssh'}, {docker}"


def _become(command: list[str]) -> None:
    os.execvp(command[0], command)


ALONE: dict[str, Callable[[list[str]], None]] = {
    "up": _up,
    "down": lambda _: lifecycle.down(),
    "packages": lambda _: packages.prepare(say),
}
WITH_LAB: dict[str, Callable[[Lab, list[str]], None]] = {
    "status": _status,
    "inventory": lambda lab, _: _print(lab.inventory_text()),
    "laptop": lambda lab, words: _become(lab.desk.command(words or ["bash"])),
    "ssh": lambda lab, words: _become(lab.desk.command(["ssh", *words])),
    "host": lambda lab, words: _become(_host(lab, "".join(words[:1])).command(words[1:] or ["bash"])),
}
WITH_HOST: dict[str, Callable[[Host], None]] = {
    "cut": Host.cut,
    "mend": Host.mend,
    "stop-docker": Host.stop_docker,
    "start-docker": Host.start_docker,
    "stop-ssh": Host.stop_ssh,
    "start-ssh": Host.start_ssh,
    "hang-docker": lambda host: faults.hang(host, "docker"),
    "resume-docker": lambda host: faults.resume(host, "docker"),
    "hang-ssh": lambda host: faults.hang(host, "sshd"),
    "resume-ssh": lambda host: faults.resume(host, "sshd"),
    "drop-ssh": faults.drop_connections,
    "fill-disk": faults.fill_disk,
    "empty-disk": faults.empty_disk,
    "reboot": Host.reboot,
}


def _print(text: str) -> None:
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
