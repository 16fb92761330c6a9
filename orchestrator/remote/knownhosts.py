"""known_hosts files, read and added to as OpenSSH does."""

import base64
import binascii
import fcntl
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key as known_hosts has it."""

    type: str
    base64: str

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(base64.b64decode(self.base64)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def is_whole(self) -> bool:
        """Whether the key is what its type says, and not the rest of a damaged line."""
        try:
            blob = base64.b64decode(self.base64)
        except binascii.Error:
            return False
        return blob[4:].startswith(self.type.encode())

    @property
    def kind(self) -> str:
        """The type in a word: ED25519, ECDSA, RSA."""
        return self.type.removeprefix("ssh-").partition("-")[0].upper()


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a known_hosts file."""

    marker: str
    names: str
    key: HostKey
    file: Path
    line: int

    def is_for(self, name: str) -> bool:
        if self.names.startswith("|1|"):
            return _hashes_to(self.names, name)
        patterns = self.names.lower().split(",")
        if any(fnmatchcase(name, _glob(pattern[1:])) for pattern in patterns if pattern.startswith("!")):
            return False
        return any(fnmatchcase(name, _glob(pattern)) for pattern in patterns)


def _glob(pattern: str) -> str:
    # In known_hosts brackets surround a host that has a port; in a glob, a choice of characters.
    return pattern.replace("[", "[[]")


def _hashes_to(hashed: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in hashed.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def entries(files: Iterable[Path]) -> Iterator[Entry]:
    for file in files:
        try:
            text = file.read_text(errors="replace")
        except OSError:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            yield from _parse(line, file, number)


def _parse(line: str, file: Path, number: int) -> Iterator[Entry]:
    """One entry; none for an empty, commented or damaged line."""
    words = line.split()
    marker = words.pop(0) if words and words[0].startswith("@") else ""
    if len(words) >= len(("names", "type", "key")) and not words[0].startswith("#"):
        yield Entry(marker, words[0], HostKey(words[1], words[2]), file, number)


@contextmanager
def locked(path: Path) -> Iterator[TextIO]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def append(file: TextIO, line: str) -> None:
    lines = file.read()
    if line in lines.splitlines():
        return
    if lines and not lines.endswith("\n"):
        file.write("\n")
    file.write(line + "\n")
