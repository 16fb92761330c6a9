"""What a server says before anybody is logged in: its words, and what algorithms it has."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator import frozen

if TYPE_CHECKING:
    from orchestrator.remote.ssh.dial import ProxyCommand

WORDS = 4096  # bytes of a server's first words that are kept


@frozen.dataclass(frozen=True, slots=True)
class Algorithms:
    """A kind of algorithm that both sides have to have one of."""

    kind: str
    keyword: str  # in ssh_config and sshd_config
    offered: tuple[str, ...]  # where paramiko has what it has parsed of the server's offer
    preferred: str  # where it has its own
    add: str  # one of ours that every OpenSSH of the last ten years has, too
    if_named: tuple[str, ...] = ()  # with SHA-1: those that are used only where the SSH config names them


GROUP14_SHA1, SSH_RSA = "diffie-hellman-group14-sha1", "ssh-rsa"
KEX = Algorithms(
    "key exchange",
    "KexAlgorithms",
    ("kex_algo_list",),
    "preferred_kex",
    "curve25519-sha256",
    (GROUP14_SHA1,),
)
HOST_KEY = Algorithms(
    "host key type",
    "HostKeyAlgorithms",
    ("server_key_algo_list",),
    "preferred_keys",
    "ssh-ed25519",
    (SSH_RSA,),
)
CIPHER = Algorithms(
    "cipher",
    "Ciphers",
    ("client_encrypt_algo_list", "server_encrypt_algo_list"),
    "preferred_ciphers",
    "aes256-gcm@openssh.com",
)
MAC = Algorithms(
    "MAC",
    "MACs",
    ("client_mac_algo_list", "server_mac_algo_list"),
    "preferred_macs",
    "hmac-sha2-256-etm@openssh.com",
)
IN_ORDER = (KEX, HOST_KEY, CIPHER, MAC)


@frozen.dataclass(frozen=True, slots=True)
class NothingInCommon:
    """A kind of algorithm of which the server offers none that we have. `known`: those that we have at all."""

    kind: Algorithms
    offered: tuple[str, ...]
    known: tuple[str, ...]


@dataclass
class Heard:
    """What a server said while it was connected to."""

    greeting: bytearray = field(default_factory=bytearray)
    goodbye: str = ""
    refused_channel: str = ""
    lack: NothingInCommon | None = None
    proxy: "ProxyCommand | None" = None

    def hear(self, data: bytes) -> None:
        self.greeting += data[: WORDS - len(self.greeting)]

    @property
    def is_ssh(self) -> bool:
        return any(line.startswith("SSH-") for line in self._lines())

    @property
    def words(self) -> list[str]:
        """Lines that came instead of the version with which an SSH server begins, or before it."""
        lines = self._lines()
        before = next((n for n, line in enumerate(lines) if line.startswith("SSH-")), len(lines))
        return [line.strip() for line in lines[:before] if line.strip()]

    def _lines(self) -> list[str]:
        return self.greeting.decode(errors="replace").splitlines()
