"""What a host says to those who log in, and agents and files that do not have the key."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_server
from threading import Event, Thread
from time import monotonic

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from orchestrator.remote.transport import Failure, FailureKind
from tests.remote.conftest import Start
from tests.remote.sshd import Laptop, Sshd, agent, failed, keygen, run, sh

pytestmark = pytest.mark.sshd


@dataclass
class Strict(paramiko.ServerInterface):
    """A server that lets in nobody, or not yet, or runs nothing for those who are in."""

    banner: str
    does: str
    version: str = "SSH-2.0-Strict"
    transport: paramiko.Transport | None = None
    over: Event = field(default_factory=Event)

    def get_banner(self) -> tuple[str, str]:
        return self.banner, "en"

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:  # noqa: ARG002
        if self.does == "runs nothing":
            return AUTH_SUCCESSFUL
        if self.does == "waits":
            self.over.wait(30)
        elif self.transport and self.does != "refuses":
            self.transport.close()
        return AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return OPEN_SUCCEEDED


@contextmanager
def serving(laptop: Laptop, banner: str, does: str, version: str = "SSH-2.0-Strict") -> Iterator[int]:
    key, strict = paramiko.RSAKey.generate(2048), Strict(banner, does, version)

    def serve() -> None:
        strict.transport = paramiko.Transport(listener.accept()[0])
        strict.transport.local_version = version
        strict.transport.add_server_key(key)
        strict.transport.start_server(server=strict)

    with create_server(("127.0.0.5", 0)) as listener:
        port = listener.getsockname()[1]
        server = Thread(target=serve, daemon=True)
        server.start()
        laptop.config.write_text(
            f"Host gpu1\n HostName 127.0.0.5\n Port {port}\n User ana\n IdentityFile {laptop.key}\n"
            f" IdentityAgent none\n UserKnownHostsFile {laptop.known_hosts}\n ConnectTimeout 2\n"
        )
        laptop.known_hosts.write_text(f"[127.0.0.5]:{port} ssh-rsa {key.get_base64()}\n")
        try:
            yield port
        finally:
            strict.over.set()
            server.join()


def test_a_host_that_wants_something_done_first_is_heard(laptop: Laptop) -> None:
    """As Tailscale's check does."""
    link = "To authenticate, visit: https://login.example.com/a/1"
    began = monotonic()
    with serving(laptop, f"# An additional check is required.\r\n# {link}\r\n", "waits") as port:
        failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert monotonic() - began < 20
    assert failure.message == f"ana@127.0.0.5:{port} lets nobody in yet; its banner: # {link}"
    assert failure.detail == f"It says: # An additional check is required. # {link}"
    assert (
        failure.fix == f"if that asks for something, do it, then this again; by hand: ssh -p {port} ana@gpu1"
    )


def test_an_account_that_pam_turns_away_is_told_in_its_words(laptop: Laptop) -> None:
    """sshd says PAM's words as a banner, and hangs up, however right the key is."""
    why = "Access denied by pam_slurm_adopt: you have no active jobs on this node"
    with serving(laptop, f"{why}\r\n", "hangs up") as port:
        failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert failure.message == f"ana@127.0.0.5:{port} closed the connection over the key; its banner: {why}"
    assert "does the host let ana in" in failure.fix
    assert "ssh-copy-id" not in failure.fix


@pytest.mark.parametrize(
    ("version", "kind", "old"),
    [
        ("SSH-2.0-OpenSSH_6.6.1p1 Ubuntu-2ubuntu2", "rsa", True),
        ("SSH-2.0-OpenSSH_7.1", "rsa", True),
        ("SSH-2.0-OpenSSH_6.6.1p1", "ed25519", False),
        ("SSH-2.0-OpenSSH_7.2", "rsa", False),
        ("SSH-2.0-OpenSSH_10.1", "rsa", False),
    ],
)
def test_an_rsa_key_of_no_use_to_an_old_server_is_not_to_be_copied_there(
    laptop: Laptop, version: str, kind: str, old: bool
) -> None:
    laptop.key.unlink()
    keygen(laptop.key, kind)
    with serving(laptop, "", "refuses", version) as port:
        failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert ("takes RSA keys with SHA-1 alone" in failure.detail) is old
    made = "ssh-keygen -t ed25519, then add the key's line (ssh-add -L) to ~ana/.ssh/authorized_keys there"
    assert failure.fix.startswith(made if old else f"add {laptop.key}.pub to "), port


def test_a_host_that_refuses_a_command_is_not_said_to_be_busy(laptop: Laptop) -> None:
    with serving(laptop, "", "runs nothing") as port:
        failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.UNREACHABLE)
    assert failure.fix == f"does it run commands at all? try: ssh -p {port} ana@gpu1 date"


def test_a_refusal_has_what_the_hosts_banner_says(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    banner = tmp_path / "banner"
    banner.write_text("By ticket only:\nhttps://example.com/access\n")
    server = start("127.0.0.2", f"Banner {banner}", authorized=())
    laptop.host("gpu1", server)
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert "It says: By ticket only: https://example.com/access" in failure.detail.splitlines()


def refused(laptop: Laptop, server: Sshd, identity: Path, place: Path | str = "none") -> Failure:
    laptop.knows(server)
    laptop.config.write_text(
        f"Host gpu1\n HostName {server.address}\n Port {server.port}\n IdentityFile {identity}\n"
        f" IdentityAgent {place}\n UserKnownHostsFile {laptop.known_hosts}\n"
    )
    return failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)


def test_a_key_that_an_empty_or_locked_agent_should_have_is_named(
    laptop: Laptop, start: Start, tmp_path: Path
) -> None:
    """A password manager that is locked, a token that is not plugged in."""
    laptop.key.unlink()
    with agent(tmp_path) as place:
        failure = refused(laptop, start(), laptop.key.with_name("key.pub"), place)
    assert failure.message.startswith("no key to offer to ")
    assert failure.detail.splitlines() == [
        f"the agent at {place}: holds no key, or is locked",
        f"{laptop.key}.pub: its private key is in no file and not in the agent",
    ]
    assert failure.fix.startswith("have the agent unlocked, or given the key (ssh-add -X, ssh-add FILE")


def test_a_key_of_puttys_is_told_how_to_become_another(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    key = tmp_path / "key.ppk"
    key.write_text("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n")
    failure = refused(laptop, start(), key)
    assert failure.detail == f"{key}: is a key of PuTTY's"
    made = tmp_path / "key.openssh"
    assert failure.fix == f"puttygen {key} -O private-openssh -o {made}, and name that one as the key"
