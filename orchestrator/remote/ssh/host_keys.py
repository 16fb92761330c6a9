"""Host keys: whether a host is the one it was, and what to do about one that is not."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import HostKeys
from orchestrator.remote.ssh.config import Settings
from orchestrator.remote.ssh.known_hosts import Entry, HostKey, append, entries_for, locked
from orchestrator.remote.transport import Failure, FailureError, FailureKind

if TYPE_CHECKING:
    import paramiko

NO_FILE = "let UserKnownHostsFile in ~/.ssh/config name a file that keeps host keys"


@dataclass(frozen=True, slots=True)
class Known:
    """The host showed the key that is on file."""

    name: str
    key: HostKey


@dataclass(frozen=True, slots=True)
class Unknown:
    """No file has a key of the host. `record` writes this one to `file`."""

    name: str
    key: HostKey
    file: Path | None

    @property
    def line(self) -> str:
        return f"{self.name} {self.key.type} {self.key.base64}"


@dataclass(frozen=True, slots=True)
class Changed:
    """A file has another key for the host."""

    name: str
    key: HostKey
    expected: HostKey
    file: Path
    line: int


@dataclass(frozen=True, slots=True)
class Revoked:
    """A file says never to trust this key."""

    name: str
    key: HostKey
    file: Path
    line: int


Verdict = Known | Unknown | Changed | Revoked


class HostKeyError(FailureError):
    """A host key that is not trusted, and what is wrong with it."""

    def __init__(self, verdict: Verdict, failure: Failure) -> None:
        super().__init__(failure)
        self.verdict = verdict


class HostKeyPolicy:
    """Decides about one hop's key, as paramiko's policy for missing keys.

    paramiko is given no known_hosts, so every key is missing to it and comes here: its own reader
    knows no patterns and no markers, and stumbles over a damaged line.
    """

    def __init__(self, hop: Settings, policy: HostKeys) -> None:
        self.hop = hop
        self.policy = policy
        self._on_file = _entries(hop, hop.known_as)

    @property
    def types(self) -> list[str]:
        """The types of the keys on file, to be asked for before others."""
        return [entry.key.type for entry in self._on_file if not entry.marker]

    def missing_host_key(self, client: "paramiko.SSHClient", hostname: str, key: "paramiko.PKey") -> None:  # noqa: ARG002
        shown = HostKey(key.get_name(), key.get_base64())
        verdict = _judged(self.hop, shown, self._on_file)
        if isinstance(verdict, Unknown) and self.policy is HostKeys.ACCEPT_NEW:
            verdict = accept(self.hop, verdict)
        if not isinstance(verdict, Known):
            raise HostKeyError(verdict, refusal(verdict, self.hop))


def judge(hop: Settings, key: HostKey) -> Verdict:
    """What the files say about a key now. Another key of any type makes it Changed.

    OpenSSH calls a key of a new type new; but known types are asked for first (`HostKeyPolicy.types`), so
    only a host that has lost them shows a new one, or somebody between.
    """
    return _judged(hop, key, _entries(hop, hop.known_as))


def _judged(hop: Settings, key: HostKey, mine: list[Entry]) -> Verdict:
    name = hop.known_as
    revoked = [entry for entry in mine if entry.marker == "@revoked" and entry.key == key]
    known = [entry for entry in mine if not entry.marker]
    if revoked:
        return Revoked(name, key, revoked[0].file, revoked[0].line)
    if any(entry.key == key for entry in known) or (not known and _known_without_port(hop, key)):
        return Known(name, key)
    if known:
        nearest = next((entry for entry in known if entry.key.type == key.type), known[0])
        return Changed(name, key, nearest.key, nearest.file, nearest.line)
    return Unknown(name, key, _first_writable(hop))


def accept(hop: Settings, unknown: Unknown) -> Verdict:
    """Put a new key on file, unless somebody else just did."""
    if unknown.file is None:
        return unknown
    try:
        with locked(unknown.file) as file:
            verdict = judge(hop, unknown.key)
            if isinstance(verdict, Unknown):
                append(file, unknown.line)
                return Known(unknown.name, unknown.key)
            return verdict
    except OSError as error:
        raise FailureError(_unwritable(unknown.file, error)) from error


def record(unknown: Unknown) -> Failure | None:
    """Put a key on file that somebody has looked at."""
    if unknown.file is None:
        return Failure(FailureKind.HOST_KEY, f"there is no file to record {unknown.name} in", fix=NO_FILE)
    try:
        with locked(unknown.file) as file:
            append(file, unknown.line)
    except OSError as error:
        return _unwritable(unknown.file, error)
    return None


def refusal(verdict: Verdict, hop: Settings) -> Failure:
    """The screen for a key that is not trusted."""
    match verdict:
        case Changed(name, key, expected, file, line):
            return Failure(
                FailureKind.HOST_KEY,
                f"the host key of {hop.address} has changed",
                detail=f"shown    {key.kind} {key.fingerprint}\n"
                f"on file  {expected.kind} {expected.fingerprint}  ({file}:{line})\n"
                "Either the host was installed anew, or somebody is listening in.",
                fix=f"if the change is right: ssh-keygen -R {shlex.quote(name)} -f {shlex.quote(str(file))}",
            )
        case Revoked(_, key, file, line):
            return Failure(
                FailureKind.HOST_KEY,
                f"the {key.kind} host key of {hop.address} is revoked ({file}:{line})",
                detail=f"shown  {key.kind} {key.fingerprint}",
                fix="give the host a new key, or ask whoever revoked this one",
            )
        case _:
            return Failure(
                FailureKind.HOST_KEY,
                f"the host key of {hop.address} is not known: {verdict.key.kind} {verdict.key.fingerprint}",
                detail=_authority(hop),
                fix="raycluster trust" if _first_writable(hop) else NO_FILE,
            )


def _authority(hop: Settings) -> str:
    if any(entry.marker == "@cert-authority" for entry in _entries(hop, hop.known_as)):
        return "A certificate authority vouches for this host, but host certificates are not supported."
    return ""


def _known_without_port(hop: Settings, key: HostKey) -> bool:
    """A key on file for the host itself holds for its other ports too, as in OpenSSH."""
    known = (entry.key for entry in _entries(hop, hop.host.lower()) if not entry.marker)
    return hop.host_key_alias is None and key in known


def _entries(hop: Settings, name: str) -> list[Entry]:
    files = (*hop.known_hosts, *hop.global_known_hosts)
    return [entry for entry in entries_for(files, name) if entry.key.is_whole]


def _first_writable(hop: Settings) -> Path | None:
    return next((file for file in hop.known_hosts if file != Path("/dev/null")), None)


def _unwritable(file: Path, error: OSError) -> Failure:
    return Failure(FailureKind.HOST_KEY, f"{file} cannot be written: {error.strerror}", fix=f"check {file}")
