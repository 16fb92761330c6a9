"""Keys and certificates to log in with: those of files and of the agent, in the order in which they are shown."""

import base64
import binascii
import copy
import io
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from orchestrator.frozen import dataclass
from orchestrator.remote.ssh.agent import AgentKey
from orchestrator.remote.ssh.certificate import Certificate, Kind, Reader, certificate, public_key_in, type_of
from orchestrator.remote.ssh.config import Settings, short
from orchestrator.remote.ssh.known_hosts import FileVersion, file_version

if TYPE_CHECKING:
    import paramiko

PUTTYS = b"PuTTY-User-Key-File"
PRIVATE = b"PRIVATE KEY-----"
_loading = Lock()


@dataclass(frozen=True, slots=True)
class Offer:
    """A key to try, or why it cannot be tried. `file` has its private half, `certificate` is what is shown of it."""

    label: str
    key: Any = None  # a paramiko.PKey, or an AgentKey
    problem: str = ""
    needs_agent: bool = False
    fix: str = ""
    file: Path | None = None
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """A public key or certificate, where it stands, and the file of its private half."""

    blob: bytes
    place: Path
    file: Path


def offers(hop: Settings, held: Sequence[AgentKey]) -> Iterator[Offer]:
    """What to try, in OpenSSH's order: `pubkey_prepare` of its sshconnect2.c.

    Certificates that CertificateFile names, the agent's keys that are named too, its others, and what only files
    have. But the inventory's key is the first of all keys: sshd hangs up after six, and an agent may hold more.
    """
    files = _identities(hop)
    named = {identity.blob: identity for identity in reversed(files) if identity.blob}
    usable = {key.blob: key for key in held if key.blob in named or not hop.identities_only}
    keys: list[tuple[Identity | None, AgentKey | None]] = [
        *((named[blob], key) for blob, key in usable.items() if blob in named),
        *((None, key) for blob, key in usable.items() if blob not in named),
        *((identity, None) for identity in files if identity.blob not in usable),
    ]
    keys.sort(key=lambda each: each[0] is None or each[0].file != hop.key)
    agent = " and not in the agent" if hop.agent else ", and there is no agent"
    for file in hop.certificate_files:
        yield _certified(Identity(public_key_in(file), file, file), usable, hop)
    for identity, key in keys:
        if key:
            yield _of_agent(identity, key)
        elif identity and certificate(identity.blob):
            yield _certified(identity, usable, hop)
        elif identity and (loaded := load(identity.file)):
            yield loaded
        elif identity and identity.blob:
            problem = f"its private key is in no file{agent}"
            yield _beside(identity.file) or Offer(str(identity.place), problem=problem)


def _beside(file: Path) -> Offer | None:
    """The usual mistake: the public key is named, and its private one lies beside it."""
    private = file.with_suffix("")
    if file.suffix != ".pub" or not private.is_file():
        return None
    return Offer(str(file), problem="is the public key", fix=f"name the private one: {short(private)}")


def _identities(hop: Settings) -> tuple[Identity, ...]:
    """What the files are of, and FILE-cert.pub, which OpenSSH looks for unless some CertificateFile is named.

    Read once for all hosts that have the same files: OpenSSH names seven by itself, and most are not there.
    """
    as_of = tuple(file_version(place) for file in hop.identity_files for place in _places(file))
    with _loading:
        return _read(hop.identity_files, bool(hop.certificate_files), as_of)


@lru_cache(maxsize=256)
def _places(file: Path) -> tuple[Path, ...]:
    """All that is read of a key."""
    return file, file.with_name(f"{file.name}.pub"), file.with_name(f"{file.name}-cert.pub")


@lru_cache(maxsize=64)
def _read(
    files: tuple[Path, ...], certificates_named: bool, _as_of: tuple[FileVersion, ...]
) -> tuple[Identity, ...]:
    found = []
    for file in files:
        found.append(Identity(public_half(file), file, file))
        beside = file.with_name(f"{file.name}-cert.pub")
        if not certificates_named and (blob := public_key_in(beside)):
            found.append(Identity(blob, beside, file))
    return tuple(found)


def _of_agent(identity: Identity | None, key: AgentKey) -> Offer:
    label = f"{identity.place} (agent)" if identity else f"agent key {key.comment or type_of(key.blob)}"
    file = identity.file if identity else None
    return Offer(label, key, file=file, certificate=certificate(key.blob))


def _certified(identity: Identity, usable: Mapping[bytes, AgentKey], hop: Settings) -> Offer:
    """A certificate of a file, with the key that it is for, wherever that one is."""
    label, shown = str(identity.place), certificate(identity.blob)
    if not identity.place.exists():
        return Offer(label, problem="does not exist")
    if shown is None or shown.kind != Kind.USER:
        return Offer(label, problem="is not a user's certificate")
    if key := usable.get(shown.key):
        return Offer(f"{label} (agent)", replace(key, shown=identity.blob), certificate=shown)
    for file in hop.identity_files:
        loaded = load(file) if public_half(file) in (shown.key, b"") else None
        if loaded and (key := loaded.key) and key.asbytes() == shown.key:
            return Offer(label, _showing(key, identity.blob), file=file, certificate=shown)
        if loaded and not loaded.key:
            return replace(loaded, label=f"{label}: its key {file}")
    return Offer(label, problem="its key is in no file that is named, and in no agent")


def _showing(key: "paramiko.PKey", blob: bytes) -> "paramiko.PKey":
    import paramiko  # noqa: PLC0415 - slow to import

    key = copy.copy(key)  # the plain one is for all hosts
    key.public_blob = paramiko.pkey.PublicBlob(type_of(blob), blob)
    return key


def load(file: Path) -> Offer | None:
    """A private key; None where there is none. Read once for all that are shown it."""
    as_of = file_version(file)
    if as_of is None:
        return None
    with _loading:  # or each of a fleet's threads would load it for itself
        return _load(file, as_of)


@lru_cache(maxsize=64)
def _load(file: Path, _as_of: FileVersion) -> Offer | None:
    if public_key_in(file) and not _has_private_half(file):
        return None
    try:
        return Offer(str(file), _private_key(file), file=file)
    except TypeError:  # how the cryptography package asks for a passphrase
        return Offer(str(file), problem="needs its passphrase", needs_agent=True, file=file)
    except OSError as error:
        return Offer(str(file), problem=f"cannot be read: {error.strerror}")
    except Exception as error:  # noqa: BLE001 - each kind of damaged key has its own
        return _unreadable(file, error)


def _has_private_half(file: Path) -> bool:
    """Whether a file with a public key has the private one, too: in PEM, remarks may stand before it."""
    return PRIVATE in file.read_bytes()


def _unreadable(file: Path, error: Exception) -> Offer:
    if type_of(public_half(file)).startswith("sk-"):
        hardware = "is on a hardware key, which only an agent can use"
        return Offer(str(file), problem=hardware, needs_agent=True, file=file)
    if file.read_bytes().startswith(PUTTYS):
        made = file.with_suffix(".openssh")
        line = shlex.join(("puttygen", str(file), "-O", "private-openssh", "-o", str(made)))
        return Offer(str(file), problem="is a key of PuTTY's", fix=f"{line}, and name that one as the key")
    return Offer(str(file), problem=f"is not a private key that can be used here ({type(error).__name__})")


def _private_key(file: Path) -> "paramiko.PKey":
    """The key alone: paramiko would take the certificate beside it too, and fail of a damaged one."""
    import paramiko  # noqa: PLC0415 - slow to import

    kind = type_of(_public_part(file))  # not what FILE.pub says: it may be of another key
    try:
        for key_class in paramiko.key_classes:
            if kind in key_class.identifiers():
                return key_class.from_private_key_file(str(file))
        key = paramiko.PKey.from_path(file)
    except paramiko.PasswordRequiredException as error:
        raise TypeError from error
    except paramiko.SSHException:
        return _of_openssl(file)
    key.public_blob = None
    return key


def _of_openssl(file: Path) -> "paramiko.PKey":
    """A key in PKCS #8, or in PEM with text before it, of which paramiko's own reader knows neither."""
    import paramiko  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives import serialization as written  # noqa: PLC0415

    loaded: Any = written.load_pem_private_key(file.read_bytes(), None)
    public = loaded.public_key().public_bytes(written.Encoding.OpenSSH, written.PublicFormat.OpenSSH)
    text = loaded.private_bytes(written.Encoding.PEM, written.PrivateFormat.OpenSSH, written.NoEncryption())
    kind = public.split()[0].decode()
    key_class = next(each for each in paramiko.key_classes if kind in each.identifiers())
    return key_class.from_private_key(io.StringIO(text.decode()))


def public_half(file: Path) -> bytes:
    """The public key of a key file, which needs no passphrase: to find the key in an agent."""
    return public_key_in(file.with_name(file.name + ".pub")) or public_key_in(file) or _public_part(file)


def _public_part(file: Path) -> bytes:
    """What an OpenSSH private key says of its public half, in the clear before the encrypted part."""
    magic = b"openssh-key-v1\0"
    try:
        content = base64.b64decode(file.read_bytes().split(b"-----")[2])
        if not content.startswith(magic):
            return b""
        read = Reader(content[len(magic) :])
        for _cipher_kdf_options in range(3):
            read.string()
        read.number(4)
        return read.string()
    except (OSError, IndexError, binascii.Error, ValueError):
        return b""
