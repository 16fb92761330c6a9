"""Logins: by keys and agents, never by a password."""

import base64
import binascii
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from orchestrator.frozen import dataclass
from orchestrator.remote.ssh.config import Settings
from orchestrator.remote.ssh.known_hosts import FileVersion, file_version
from orchestrator.remote.ssh.paramiko_setup import ask_agent
from orchestrator.remote.transport import Failure, FailureError, FailureKind

if TYPE_CHECKING:
    import paramiko

LOCKED = "needs its passphrase"
AGENT = "the agent at"

_loading = Lock()


@dataclass(frozen=True, slots=True)
class Offer:
    """A key to try, or why it cannot be tried."""

    label: str
    key: "paramiko.PKey | None" = None
    problem: str = ""
    file: Path | None = None


class Keys:
    """Logs in with public keys, as paramiko's authentication strategy.

    The order is OpenSSH's but for one thing: named files come before the agent's other keys, because
    sshd hangs up after six and an agent may hold more.
    """

    def __init__(self, hop: Settings, deadline: float) -> None:
        self.hop = hop
        self.deadline = deadline
        self.outcomes: list[tuple[Offer, str]] = []
        self.used = "no key"

    def authenticate(self, transport: "paramiko.Transport") -> None:
        with agent_keys(self.hop.agent, self.deadline) as (held, problem):
            if problem:
                self.outcomes.append((Offer(f"{AGENT} {self.hop.agent}"), problem))
            for offer in offers(self.hop, held):
                if self._try(transport, offer):
                    self.used = f"key {offer.label.replace(str(Path.home()), '~', 1)}"
                    return
                if not transport.is_active():
                    raise FailureError(self._refusal("It hung up after that."))
        # Some servers ask for no key at all (Tailscale's); others name here what they would take.
        self._without_key(transport)

    def _try(self, transport: "paramiko.Transport", offer: Offer) -> bool:
        import paramiko  # noqa: PLC0415 - slow to import

        if offer.key is None:
            self.outcomes.append((offer, offer.problem))
            return False
        transport.auth_timeout = self._left()
        try:
            further = transport.auth_publickey(self.hop.user, offer.key)
        except (paramiko.SSHException, OSError, EOFError) as error:
            self._left()
            plain = type(error) is paramiko.AuthenticationException
            self.outcomes.append((offer, "refused" if plain else f"refused: {error}"))
            return False
        if further:
            self.outcomes.append(
                (offer, f"accepted, but not enough: the host also wants {', '.join(further)}")
            )
        return not further

    def _without_key(self, transport: "paramiko.Transport") -> None:
        import paramiko  # noqa: PLC0415 - slow to import

        transport.auth_timeout = self._left()
        try:
            further = transport.auth_none(self.hop.user)
        except paramiko.BadAuthenticationType as error:
            further = error.allowed_types
        except (paramiko.SSHException, OSError, EOFError):
            further = ["publickey"]
        if further:
            takes = "" if "publickey" in further else f"It takes no keys, only: {', '.join(further)}."
            raise FailureError(self._refusal(takes))

    def _left(self) -> float:
        left = self.deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _refusal(self, last: str) -> Failure:
        tried = [f"{offer.label}: {outcome}" for offer, outcome in self.outcomes]
        offered = any(offer.key for offer, _ in self.outcomes)
        return Failure(
            FailureKind.AUTH,
            f"{self.hop.login} refuses every key" if offered else f"no key to show to {self.hop.login}",
            detail="\n".join([*tried, last] if last else tried),
            fix=self._fix(),
        )

    def _fix(self) -> str:
        files = {offer.file: outcome for offer, outcome in self.outcomes if offer.file}
        locked = [file for file, outcome in files.items() if outcome == LOCKED]
        if locked:
            return f"ssh-add {shlex.quote(str(locked[0]))}"
        key = next(iter(files), None)
        named = f"-i {shlex.quote(str(key))} " if key else ""
        copy = f"ssh-copy-id {named}-p {self.hop.port} {self.hop.user}@{self.hop.name}"
        if any(not offer.label.startswith(AGENT) for offer, _ in self.outcomes):
            return copy
        start = "start the agent (IdentityAgent, $SSH_AUTH_SOCK), or " if self.outcomes else ""
        return f"{start}ssh-keygen -t ed25519, then {copy}"


def offers(hop: Settings, held: "tuple[paramiko.AgentKey, ...]") -> Iterator[Offer]:
    """What to try, in order: the files' keys (by the agent, where it has them), then its others."""
    rest = {key.asbytes(): key for key in held}
    for file in hop.identity_files:
        key = rest.pop(public_half(file), None) if rest else None  # without an agent, it need not be read
        if key:
            yield Offer(f"{file} (agent)", key, file=file)
        elif loaded := load(file):
            yield loaded
    if not hop.identities_only:
        yield from (Offer(f"agent key {key.comment or key.get_name()}", key) for key in rest.values())


def load(file: Path) -> Offer | None:
    """A private key, and the certificate beside it; None where there is none. Read once for all that are shown it."""
    as_of = file_version(file)
    if as_of is None:
        return None
    with _loading:  # or each of a fleet's threads would load it for itself
        return _load(file, as_of, file_version(file.with_name(f"{file.name}-cert.pub")))


@lru_cache(maxsize=64)
def _load(file: Path, _key: FileVersion, _certificate: FileVersion) -> Offer | None:
    import paramiko  # noqa: PLC0415 - slow to import

    if is_public(file):
        return None
    try:
        return Offer(str(file), paramiko.PKey.from_path(file), file=file)
    except TypeError:  # how the cryptography package asks for a passphrase
        return Offer(str(file), problem=LOCKED, file=file)
    except OSError as error:
        return Offer(str(file), problem=f"cannot be read: {error.strerror}")
    except Exception as error:  # noqa: BLE001 - each kind of damaged key has its own
        return Offer(str(file), problem=f"is no private key we can use ({type(error).__name__})")


def is_public(file: Path) -> bool:
    try:
        return file.read_bytes().startswith((b"ssh-", b"ecdsa-", b"sk-"))
    except OSError:
        return False


def public_half(file: Path) -> bytes:
    """The public key of a key file, which needs no passphrase: to find the key in an agent."""
    for place in (file.with_name(file.name + ".pub"), file):
        try:
            if is_public(place):
                return base64.b64decode(place.read_bytes().split()[1])
        except (OSError, IndexError, binascii.Error):
            continue
    return _public_part(file)


def _public_part(file: Path) -> bytes:
    """What an OpenSSH private key says of its public half, in the clear before the encrypted part."""
    import paramiko  # noqa: PLC0415 - slow to import

    magic = b"openssh-key-v1\0"
    try:
        lines = file.read_bytes().split(b"-----")[2]
        content = base64.b64decode(lines)
    except (OSError, IndexError, binascii.Error):
        return b""
    if not content.startswith(magic):
        return b""
    message = paramiko.Message(content[len(magic) :])
    for _cipher_kdf_options in range(3):
        message.get_binary()
    message.get_int()
    return message.get_binary()


@contextmanager
def agent_keys(place: Path | None, deadline: float) -> "Iterator[tuple[tuple[paramiko.AgentKey, ...], str]]":
    """The keys an agent holds, which sign for as long as this is open; and why it cannot be asked."""
    import paramiko  # noqa: PLC0415 - slow to import
    from paramiko.agent import AgentSSH  # noqa: PLC0415

    agent, problem = AgentSSH(), ""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(max(deadline - monotonic(), 0.1))
        try:
            if place is not None:
                connection.connect(str(place))
                ask_agent(agent, connection)
        except OSError as error:
            problem = f"cannot be asked: {error.strerror or error}"
        except paramiko.SSHException as error:
            problem = f"cannot be asked: {error}"
        yield agent.get_keys(), problem
