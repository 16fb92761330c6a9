"""The lab as a whole: hosts, the laptop, and what a test does with them."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from . import accounts, faults, network, processes
from .host import Host
from .inventory import as_yaml, inventory
from .laptop import NAME, Laptop
from .processes import CHECKOUT

T = TypeVar("T")

listeners: list[Callable[[str, Iterable[str | Path]], None]] = []
"""Who hears what `raycluster` prints, and the words that it was called with: tests do."""


@dataclass(frozen=True)
class Lab:
    """`hosts` by name, the `desk` they are reached from, the `folder` in which a test works."""

    hosts: Mapping[str, Host]
    desk: Laptop
    folder: Path
    is_new: bool = True
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)
    """How the cluster of an inventory was left, with the inventory as text: see `seeing.stands`."""

    @property
    def home(self) -> Path:
        """The laptop's home."""
        return self.desk.home

    def at(self, folder: Path) -> "Lab":
        return replace(self, folder=folder)

    def laptop(
        self,
        argv: Iterable[str | Path],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float | None = 120,
        input: str = "",  # noqa: A002 (the name it has in subprocess)
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the laptop."""
        command = self.desk.command(argv, env, cwd or self.folder)
        return subprocess.run(
            command, input=input, capture_output=True, text=True, timeout=timeout, check=False
        )

    def laptop_popen(
        self,
        argv: Iterable[str | Path],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        **options: Any,
    ) -> subprocess.Popen[str]:
        """Start a command on the laptop. Its pid is the command's own, and it does not outlive the test."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = self.desk.command(argv, env, cwd or self.folder)
        process = subprocess.Popen(command, text=True, **{**pipes, **options})
        self.started.append(process)
        return process

    def raycluster(
        self,
        *words: str | Path,
        env: Mapping[str, str] | None = None,
        timeout: float | None = 120,
        input: str = "",  # noqa: A002
    ) -> subprocess.CompletedProcess[str]:
        """Run this checkout's `raycluster` on the laptop."""
        argv, settings = self.raycluster_command(*words, env=env)
        ran = self.laptop(argv, env=settings, timeout=timeout, input=input)
        for hear in listeners:
            hear(ran.stdout + ran.stderr, words)
        return ran

    def raycluster_popen(
        self, *words: str | Path, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        argv, settings = self.raycluster_command(*words, env=env)
        return self.laptop_popen(argv, env=settings, **options)

    def raycluster_command(
        self, *words: str | Path, env: Mapping[str, str] | None = None
    ) -> tuple[list[str | Path], dict[str, str]]:
        return [sys.executable, "-m", "orchestrator", *words], {"PYTHONPATH": str(CHECKOUT), **(env or {})}

    def inventory(self, **changes: Any) -> Path:
        """Write the lab's inventory into the test's folder: maps merge, `None` removes, all else replaces."""
        path = self.folder / "inventory.yaml"
        path.write_text(self.inventory_text(**changes))
        return path

    def inventory_text(self, **changes: Any) -> str:
        return as_yaml(inventory([host.entry for host in self.hosts.values()], changes))

    @property
    def is_whole(self) -> bool:
        running = set(processes.machines())
        if not {network.SWITCH, NAME, *self.hosts} <= running:
            return False
        return all(self.on_each(lambda host: host.is_plugged and host.ssh_runs and host.docker_runs))

    def end_commands(self) -> None:
        """End what `laptop_popen` has started, and what still runs of it."""
        for process in self.started:
            process.kill()
            process.communicate()
        self.started.clear()

    def mend(self) -> None:
        """Repair what a test may have broken or changed. What is whole costs next to nothing."""
        for host in self.hosts.values():
            if not host.is_on:
                host.power_on()
        network.mend(NAME, *self.hosts)
        self.on_each(partial(_mend, authorized_key=self.desk.public_key))

    def restore(self) -> None:
        """Make the world new: cables, services, homes; no containers, no command of ours."""
        self.end_commands()
        self.left.clear()
        self.mend()
        self.on_each(_empty)
        self.desk.furnish_home(self.hosts.values())

    def boot(self) -> None:
        self.desk.furnish()
        self.desk.power_on()
        self.on_each(partial(_boot, authorized_key=self.desk.public_key))
        self.desk.furnish_home(self.hosts.values())

    def on_each(self, act: Callable[[Host], T]) -> list[T]:
        with ThreadPoolExecutor(len(self.hosts)) as pool:
            return list(pool.map(act, self.hosts.values()))


def _boot(host: Host, authorized_key: str) -> None:
    host.furnish(authorized_key)
    host.power_on()
    host.start_services()


def _mend(host: Host, authorized_key: str) -> None:
    host.install(None)
    host.share_home(None)
    accounts.furnish(host.folder)
    host.authorize(authorized_key)
    faults.mend(host)
    host.set_sshd()


def _empty(host: Host) -> None:
    host.remove_containers()
    host.empty_home()
