"""Real OpenSSH servers on loopback addresses, and the laptop that dials them."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Semaphore
from typing import Self

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.model.secret import Secret
from orchestrator.plan.command import Command
from orchestrator.remote.ssh.transport import SshTransport
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output, Transport

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/sbin")
ME = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def keygen(file: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    bits = ["-b", "2048"] if kind == "rsa" else []  # soon made
    argv = ["ssh-keygen", "-q", "-t", kind, *bits, "-N", passphrase, "-C", file.name, "-f", str(file)]
    subprocess.run(argv, check=True)
    return file


def public(key: Path) -> str:
    return key.with_name(key.name + ".pub").read_text().strip()


def certify(ca: Path, key: Path, principals: str, *options: str) -> Path:
    """A certificate beside the key."""
    named = ["-n", principals] if principals else []
    argv = ["ssh-keygen", "-q", "-s", str(ca), "-I", "test", *named, *options, f"{key}.pub"]
    subprocess.run(argv, check=True)
    return key.with_name(f"{key.name}-cert.pub")


def fingerprint(key: Path) -> str:
    shown = subprocess.run(["ssh-keygen", "-lf", str(key)], capture_output=True, text=True, check=True)
    return shown.stdout.split()[1]


def free_port(address: str) -> int:
    with socket.socket() as listener:
        listener.bind((address, 0))
        return int(listener.getsockname()[1])


def _sshds_below(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            if Path(f"/proc/{child}/comm").read_text().startswith("sshd"):
                yield child
                yield from _sshds_below(child)


@contextmanager
def agent(tmp_path: Path, *keys: Path) -> Iterator[Path]:
    if not shutil.which("ssh-agent"):
        pytest.skip("there is no ssh-agent here")
    place = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    try:
        for key in keys:
            add(key, place)
        yield place
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def add(key: Path, agent: Path, *options: str) -> None:
    asked = key.with_name("askpass")
    asked.write_text("#!/bin/sh\necho open sesame\n")
    asked.chmod(0o700)
    answers = {"SSH_AUTH_SOCK": str(agent), "SSH_ASKPASS": str(asked), "SSH_ASKPASS_REQUIRE": "force"}
    subprocess.run(["ssh-add", "-q", *options, str(key)], check=True, env=os.environ | answers)


@dataclass
class Sshd:
    """One server. It lets in whoever holds a key in `authorized`."""

    home: Path
    address: str
    authorized: tuple[Path, ...] = ()
    host_keys: tuple[str, ...] = ("ed25519",)
    options: tuple[str, ...] = ()
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.home.mkdir()
        self.port = self.port or free_port(self.address)
        self.rewrite_config()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd, as root, insists on it
        log = (self.home / "log").open("wb")
        argv = [str(SSHD), "-D", "-e", "-f", str(self.home / "config")]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self._await()

    def stop(self) -> None:
        if self._process:
            self.drop()
            self._process.kill()
            self._process.wait()
            self._process = None

    def drop(self) -> None:
        """End every connection as a power cut would."""
        for session in self.sessions():
            with suppress(ProcessLookupError):
                os.kill(session, signal.SIGKILL)

    def sessions(self) -> list[int]:
        """The processes that serve one connection each; with OpenSSH 9.8 and newer those below them, too."""
        assert self._process
        return list(_sshds_below(self._process.pid))

    def key(self, kind: str = "ed25519") -> Path:
        return self.home / f"host_{kind}"

    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace")

    def known_hosts_line(self, kind: str = "ed25519") -> str:
        kind_and_key = " ".join(public(self.key(kind)).split()[:2])
        return f"[{self.address}]:{self.port} {kind_and_key}\n"

    def rewrite_config(self) -> None:
        keys = [
            self.key(kind) if self.key(kind).exists() else keygen(self.key(kind), kind)
            for kind in self.host_keys
        ]
        (self.home / "authorized_keys").write_text("".join(public(key) + "\n" for key in self.authorized))
        lines = [
            *self.options,
            f"ListenAddress {self.address}",
            f"Port {self.port}",
            *(f"HostKey {key}" for key in keys),
            f"AuthorizedKeysFile {self.home / 'authorized_keys'}",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "MaxStartups 200",
            "SetEnv SHLVL=2",  # or else Debian's bash reads ~/.bashrc, which can take long
        ]
        (self.home / "config").write_text("\n".join(lines) + "\n")

    def _await(self) -> None:
        assert self._process
        while self._process.poll() is None:
            with socket.socket() as caller:
                if caller.connect_ex((self.address, self.port)) == 0:
                    return
        raise AssertionError(self.log())


@dataclass
class Laptop:
    """A laptop's SSH set-up in a directory of its own."""

    home: Path
    key: Path = field(init=False)
    config: Path = field(init=False)
    known_hosts: Path = field(init=False)
    transports: list[SshTransport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home.mkdir()
        self.key = keygen(self.home / "key")
        self.config = self.home / "config"
        self.known_hosts = self.home / "known_hosts"
        self.config.touch()

    def host(self, name: str, server: Sshd, *options: str) -> None:
        """Add a host to the SSH config. Options given here win."""
        lines = [
            f"Host {name}",
            *options,
            f"HostName {server.address}",
            f"Port {server.port}",
            f"User {ME}",
            f"IdentityFile {self.key}",
            "IdentityAgent none",
            f"UserKnownHostsFile {self.known_hosts}",
            "GlobalKnownHostsFile none",
            "ConnectTimeout 60",  # the machine may be busy with other tests
        ]
        with self.config.open("a") as config:
            config.write("\n  ".join(lines) + "\n")

    def knows(self, *servers: Sshd) -> None:
        with self.known_hosts.open("a") as file:
            file.writelines(server.known_hosts_line(kind) for server in servers for kind in server.host_keys)

    def dial(
        self,
        name: str,
        ssh: Ssh | None = None,
        handshakes: Semaphore | None = None,
        timeouts: Timeouts = DEFAULT,
    ) -> SshTransport:
        transport = SshTransport(name, ssh or Ssh(), self.config, handshakes=handshakes, timeouts=timeouts)
        self.transports.append(transport)
        return transport

    def ssh(self, name: str, *options: str) -> "subprocess.CompletedProcess[str]":
        """What the OpenSSH client does there, for comparison."""
        argv = ["ssh", "-F", str(self.config), "-o", "BatchMode=yes", *options, name, "echo in"]
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def close(self) -> None:
        for transport in self.transports:
            transport.close()


def sh(script: str, *stdin: str | Secret) -> Command:
    return Command(("sh", "-c", script), stdin)


def run(transport: Transport, command: Command, timeout: float = 30) -> Output | Failure:
    return transport.run(command, timeout=timeout, cancel=Event())


def failed(ended: Output | Failure, kind: FailureKind) -> Failure:
    assert isinstance(ended, Failure), ended
    assert ended.kind is kind, ended
    return ended
