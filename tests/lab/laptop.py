"""The laptop: where `raycluster` runs. It reaches the hosts by SSH, and has nothing else."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import network, processes
from .files import empty
from .host import BOOT, SEARCH_PATH, Host
from .processes import CHECKOUT, run

NAME = "laptop"
NAMESPACES = ("--mount", "--propagation", "slave", "--uts", "--net")
PLACES = ("root/.ssh", "run")
INHERITED = ("LANG", "TERM", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")


@dataclass(frozen=True)
class Laptop:
    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "root"

    @property
    def public_key(self) -> str:
        return (self.folder / "id_ed25519.pub").read_text()

    def furnish(self) -> None:
        for place in PLACES:
            (self.folder / place).mkdir(parents=True)
        key = self.folder / "id_ed25519"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAME, "-f", key)

    def furnish_home(self, hosts: Iterable[Host]) -> None:
        """As after the first day of work: a key, the hosts' names, and their keys already trusted."""
        empty(self.home, keep=".ssh")
        self.furnish_ssh(self.home / ".ssh", hosts)

    def furnish_ssh(self, ssh: Path, hosts: Iterable[Host]) -> None:
        """Give a ~/.ssh the laptop's key and what it knows: its own, or that of a host from which one works."""
        empty(ssh)
        ssh.chmod(0o700)
        key = ssh / "id_ed25519"
        key.write_text((self.folder / "id_ed25519").read_text())
        key.chmod(0o600)
        hosts = list(hosts)
        (ssh / "config").write_text(
            "".join(f"Host {host.name}\n  HostName {host.address}\n" for host in hosts)
        )
        (ssh / "known_hosts").write_text("".join(f"{host.address} {host.public_key}\n" for host in hosts))

    def power_on(self) -> None:
        boot: list[str | Path] = ["bash", BOOT, processes.title(NAME), self.folder, *PLACES]
        processes.start(NAME, self.folder / "boot.log", "unshare", *NAMESPACES, *boot)
        network.plug(NAME, network.LAPTOP)

    def command(
        self, argv: Iterable[str | Path], env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> list[str]:
        """The command line that runs `argv` here. It becomes `argv`'s own process, so signals arrive."""
        enter = ["nsenter", "--target", str(processes.pid_of(NAME)), "--mount", "--uts", "--net"]
        settings = [f"{name}={value}" for name, value in {**self._environment(), **(env or {})}.items()]
        return [*enter, "env", "-i", f"--chdir={cwd or Path.cwd()}", *settings, *map(str, argv)]

    def _environment(self) -> dict[str, str]:
        # A clean one: no agent, proxy or setting of the machine's user decides what a test sees.
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        path = f"{CHECKOUT / '.venv/bin'}:{Path(sys.executable).parent}:{SEARCH_PATH}"
        return {"LANG": "C.UTF-8", **inherited, "HOME": str(self.home), "USER": "root", "PATH": path}
