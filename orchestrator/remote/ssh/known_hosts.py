"""known_hosts files, read and added to as OpenSSH does."""

import base64
import fcntl
import hashlib
import hmac
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import TextIO

from orchestrator.frozen import dataclass

FileVersion = tuple[int, int, int] | None


def file_version(file: Path) -> FileVersion:
    """Another one when the file has been changed, replaced or given other rights; None where it cannot be seen."""
    try:
        now = file.stat()
    except OSError:
        return None
    return now.st_ino, now.st_size, now.st_ctime_ns


HASHED = "|1|"
SALT = 20  # bytes, as many as OpenSSH takes
PATTERN = frozenset("*?!|")  # what a name has that is not simply the host's

_reading = Lock()


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
        except ValueError:  # binascii.Error is one, too
            return False
        return blob[4:].startswith(self.type.encode())

    @property
    def kind(self) -> str:
        """The type in a word: ED25519, ECDSA, RSA."""
        return self.type.removeprefix("ssh-").partition("-")[0].upper()


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a known_hosts file, or of what KnownHostsCommand says (no file)."""

    marker: str
    names: str
    key: HostKey
    file: Path | None
    line: int

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.file else "KnownHostsCommand"

    @property
    def plain(self) -> tuple[str, ...]:
        """The names it is for, where they are written out; nothing where they are hashed, or patterns."""
        return () if PATTERN.intersection(self.names) else tuple(self.names.lower().split(","))

    def is_for(self, name: str) -> bool:
        if self.names.startswith(HASHED):
            return _hashes_to(self.names, name)
        patterns = self.names.lower().split(",")
        if any(fnmatchcase(name, as_glob(pattern[1:])) for pattern in patterns if pattern.startswith("!")):
            return False
        return any(fnmatchcase(name, as_glob(pattern)) for pattern in patterns)


def as_glob(pattern: str) -> str:
    """A pattern of OpenSSH's, for fnmatch: brackets surround a host that has a port."""
    return pattern.replace("[", "[[]")


def _hashes_to(hashed: str, name: str) -> bool:
    salt, digest = _salt_and_digest(hashed)
    return bool(salt) and hmac.digest(salt, name.encode(), "sha1") == digest


@cache
def _salt_and_digest(hashed: str) -> tuple[bytes, bytes]:
    try:
        salt, digest = (base64.b64decode(part) for part in hashed.split("|")[2:4])
    except ValueError:
        return b"", b""
    return salt, digest


@dataclass(frozen=True, slots=True)
class KnownHostsFile:
    """A known_hosts file, read once for all the hosts of a fleet: each line by its names, and those without."""

    named: Mapping[str, list[Entry]]
    others: tuple[Entry, ...]

    def entries_for(self, name: str) -> list[Entry]:
        """The entries for a host, in the file's order."""
        found = (*self.named.get(name, ()), *(entry for entry in self.others if entry.is_for(name)))
        return sorted(found, key=lambda entry: entry.line)


def entries_for(files: Iterable[Path], name: str) -> Iterator[Entry]:
    """The entries for a host in all files, as they are now."""
    for file in files:
        as_of = file_version(file)
        if as_of is None:
            continue
        with suppress(OSError):
            with _reading:  # or each of a fleet's threads would read it for itself
                known = _read(file, as_of)
            yield from known.entries_for(name)


@lru_cache(maxsize=16)
def _read(file: Path, _as_of: FileVersion) -> KnownHostsFile:
    named, others = defaultdict[str, list[Entry]](list), []
    for entry in parse(file.read_text(errors="replace"), file):
        for name in entry.plain:
            named[name].append(entry)
        if not entry.plain:
            others.append(entry)
    return KnownHostsFile(named, tuple(others))


def parse(text: str, file: Path | None) -> Iterator[Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        yield from _parse(line, file, number)


def _parse(line: str, file: Path | None, number: int) -> Iterator[Entry]:
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


def append(file: TextIO, name: str, key: HostKey, *, hashed: bool) -> None:
    lines = file.read()
    if any(entry.key == key and entry.is_for(name) for entry in parse(lines, None)):
        return
    if lines and not lines.endswith("\n"):
        file.write("\n")
    file.write(f"{_hashed(name) if hashed else name} {key.type} {key.base64}\n")


def _hashed(name: str) -> str:
    """A name that only who knows it recognises, as HashKnownHosts has it."""
    salt = os.urandom(SALT)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return HASHED + "|".join(base64.b64encode(part).decode() for part in (salt, digest))
