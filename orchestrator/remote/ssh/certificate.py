"""OpenSSH certificates, of users and of hosts: what one says, and whether its authority signed that."""

import base64
import binascii
from enum import IntEnum
from pathlib import Path

from orchestrator.frozen import dataclass

OPENSSH = "@openssh.com"
CERTIFICATE = "-cert-v01@openssh.com"
KEY_PARTS = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}
"""How many strings follow the type in a public key."""
CERTIFIED = {plain.removesuffix(OPENSSH) + CERTIFICATE: plain for plain in KEY_PARTS}
"""The type of the key that a certificate of a type is for."""


class Kind(IntEnum):
    """Whom a certificate is for."""

    USER = 1
    HOST = 2


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate: https://datatracker.ietf.org/doc/draft-miller-ssh-cert/. Keys are as plain ones are sent."""

    type: str
    key: bytes
    kind: int
    principals: tuple[bytes, ...]
    valid_after: int
    valid_before: int
    critical_options: tuple[bytes, ...]
    authority: bytes
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        """The algorithm of the authority's signature."""
        return type_of(self.signature)

    @property
    def is_genuine(self) -> bool:
        """Whether the authority's key signed this. No signature with SHA-1 counts, and none by a hardware key."""
        import paramiko  # noqa: PLC0415 - slow to import

        if type_of(self.authority) not in KEY_PARTS:  # an authority has no certificate itself
            return False
        try:
            read = Reader(self.signature)  # paramiko would not mind wrong lengths
            read.string()
            read.string()
            read.end()
            key = paramiko.PKey.from_type_string(type_of(self.authority), self.authority)
            return bool(key.verify_ssh_sig(self.signed, paramiko.Message(self.signature)))
        except Exception:  # noqa: BLE001 - each kind of damaged key has its own
            return False


def certificate(blob: bytes) -> Certificate | None:
    """What a certificate says; None where these bytes are none, or one of a type that nobody knows."""
    try:
        return _certificate(blob)
    except ValueError:
        return None


def _certificate(blob: bytes) -> Certificate | None:
    read = Reader(blob)
    kind_of_key = CERTIFIED.get(name := read.text())
    if kind_of_key is None:
        return None
    read.string()  # a nonce
    begin = read.at
    for _ in range(KEY_PARTS[kind_of_key]):
        read.string()
    key = string(kind_of_key.encode()) + blob[begin : read.at]
    read.number(8)  # a serial number
    kind = read.number(4)
    read.string()  # a name for logs
    principals = tuple(read.strings())
    valid_after, valid_before = read.number(8), read.number(8)
    critical_options = tuple(read.strings())[::2]
    read.string()  # extensions, which are for whom they concern
    read.string()  # reserved
    authority, end = read.string(), read.at
    signature = read.string()
    read.end()
    return Certificate(
        name,
        key,
        kind,
        principals,
        valid_after,
        valid_before,
        critical_options,
        authority,
        blob[:end],
        signature,
    )


def public_key_in(file: Path) -> bytes:
    """The first key or certificate of a .pub file, which may have remarks; nothing where there is none."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return b""
    return next(filter(None, map(_public_key, lines)), b"")


def _public_key(line: bytes) -> bytes:
    words = line.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        return b""
    return blob if type_of(blob).encode() == words[0] else b""


def type_of(blob: bytes) -> str:
    """The type of a key, certificate or signature; nothing where it is none."""
    try:
        return Reader(blob).text()
    except ValueError:
        return ""


def string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


class Reader:
    """Reads what SSH sends. ValueError where less is there than was promised."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.content):
            raise ValueError("it ends too early")
        found, self.at = self.content[self.at : end], end
        return found

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def string(self) -> bytes:
        return self.take(self.number(4))

    def text(self) -> str:
        return self.string().decode()

    def strings(self) -> list[bytes]:
        """The strings that a string consists of."""
        inner, found = Reader(self.string()), list[bytes]()
        while inner.at < len(inner.content):
            found.append(inner.string())
        return found

    def end(self) -> None:
        if self.at != len(self.content):
            raise ValueError("it goes on after its end")
