"""Host keys: whether a host is the one it was, and what to do about one that is not."""

import base64
import shlex
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import HostKeys
from orchestrator.plan.typed import ours
from orchestrator.remote.ssh.certificate import CERTIFICATE, Certificate, Kind, certificate, type_of
from orchestrator.remote.ssh.config import SSH_PORT, Settings
from orchestrator.remote.ssh.known_hosts import Entry, HostKey, append, as_glob, entries_for, locked
from orchestrator.remote.ssh.known_hosts_command import KnownHostsCommand
from orchestrator.remote.ssh.revoked import revokes
from orchestrator.remote.transport import Failure, FailureError, FailureKind

if TYPE_CHECKING:
    import paramiko

AUTHORITY, REVOKED = "@cert-authority", "@revoked"


@dataclass(frozen=True, slots=True)
class Known:
    """The host showed the key that is on file, or a certificate by an authority that is.

    `warning`: why a new one is not on file.
    """

    name: str
    key: HostKey
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """No file has a key of the host. `record` writes this one to `file`, the name `hashed` where the config says so."""

    name: str
    key: HostKey
    file: Path | None
    hashed: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """A file has another key for the host."""

    name: str
    key: HostKey
    expected: Entry


@dataclass(frozen=True, slots=True)
class Revoked:
    """A file says never to trust this key, or the authority of its certificate."""

    name: str
    key: HostKey
    place: str


@dataclass(frozen=True, slots=True)
class Uncertified:
    """A file has an authority for the host, and nothing by it that holds was shown. Nobody vouches for the key."""

    name: str
    key: HostKey
    authority: Entry
    why: str


Verdict = Known | Unknown | Changed | Revoked | Uncertified


class HostKeyError(FailureError):
    """A host key that is not trusted, and what is wrong with it."""

    def __init__(self, verdict: Verdict, failure: Failure) -> None:
        super().__init__(failure)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Shown:
    """The key with which a host has signed, and the certificate that it has shown for it."""

    key: HostKey
    blob: bytes = b""

    @property
    def certificate(self) -> Certificate | None:
        return certificate(self.blob)


class HostKeyPolicy:
    """Decides about one hop's key, as paramiko's policy for missing keys.

    paramiko is given no known_hosts, so every key is missing to it and comes here: its own reader
    knows no patterns and no markers, and stumbles over a damaged line.
    """

    warning = ""
    """What is not as it should be, though the key was taken."""

    def __init__(self, hop: Settings, policy: HostKeys | None, deadline: float) -> None:
        self.hop = hop
        self.policy = policy or hop.host_keys
        self._command = KnownHostsCommand(hop, deadline)
        self._on_file = _entries(hop, hop.known_as)
        self._told = self._command.before()

    @property
    def algorithms(self) -> list[str]:
        """What to ask the host for: what is known of it comes first, as in OpenSSH."""
        on_file = [*self._on_file, *self._told]
        types = {entry.key.type for entry in on_file if not entry.marker}
        elsewhere = _entries(self.hop, name) if (name := _without_port(self.hop)) else []
        by_authority = any(entry.marker == AUTHORITY for entry in (*on_file, *elsewhere))

        def rank(algorithm: str) -> int:
            if algorithm.endswith(CERTIFICATE):
                return 0 if by_authority else 3
            return 1 if _signs_with(algorithm) in types else 2

        return sorted(self.hop.host_key_algorithms, key=rank)

    def missing_host_key(self, client: "paramiko.SSHClient", hostname: str, key: "paramiko.PKey") -> None:  # noqa: ARG002
        shown = Shown(HostKey(key.get_name(), key.get_base64()), _certificate_of(key))
        mine = [*self._on_file, *self._command.about(self.hop.known_as, shown.key)]
        verdict = _judged(self.hop, shown, mine, self._command)
        if isinstance(verdict, Unknown) and self.policy is HostKeys.ACCEPT_NEW:
            verdict = accept(self.hop, verdict)
        if isinstance(verdict, Known):
            self.warning = verdict.warning
        else:
            raise HostKeyError(verdict, refusal(verdict, self.hop, self._command.told))


def _signs_with(algorithm: str) -> str:
    """The type of key behind a signature algorithm."""
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm


def _certificate_of(key: "paramiko.PKey") -> bytes:
    return key.public_blob.key_blob if key.public_blob else b""


def judge(hop: Settings, key: HostKey) -> Verdict:
    """What the files say about a key now. Another key of any type makes it Changed.

    OpenSSH calls a key of a new type new; but known types are asked for first (`HostKeyPolicy.algorithms`), so
    only a host that has lost them shows a new one, or somebody between.
    """
    return _judged(hop, Shown(key), _entries(hop, hop.known_as))


def _judged(
    hop: Settings, shown: Shown, mine: Sequence[Entry], command: KnownHostsCommand | None = None
) -> Verdict:
    if hop.revoked_host_keys and revokes(hop.revoked_host_keys, shown.blob or _blob(shown.key), _keys(shown)):
        return Revoked(hop.known_as, shown.key, str(hop.revoked_host_keys))
    verdict = _by(mine, hop, shown)
    if isinstance(verdict, Unknown | Uncertified) and (name := _without_port(hop)):
        lines = [*_entries(hop, name), *(command.about(name, shown.key) if command else ())]
        without_port = _by(lines, hop, shown)
        if isinstance(without_port, Known | Uncertified | Revoked):
            return without_port
    return verdict


def _without_port(hop: Settings) -> str:
    """The name that holds for all ports of the host, as in OpenSSH; none where it is the one that is known."""
    return hop.host.lower() if hop.port != SSH_PORT and hop.host_key_alias is None else ""


def _by(mine: Sequence[Entry], hop: Settings, shown: Shown) -> Verdict:
    """What these lines say, which are for the host."""
    name, key = hop.known_as, shown.key
    known = [entry for entry in mine if not entry.marker]
    authorities = [entry for entry in mine if entry.marker == AUTHORITY]
    for entry in mine:
        if entry.marker == REVOKED and _blob(entry.key) in _keys(shown):
            return Revoked(name, key, entry.place)
    why = _not_certified(shown, authorities, hop) if authorities else ""
    if (authorities and not why) or any(entry.key == key for entry in known):
        return Known(name, key)
    if known:
        return Changed(name, key, next((each for each in known if each.key.type == key.type), known[0]))
    if authorities:
        return Uncertified(name, key, authorities[0], why)
    return Unknown(name, key, _first_writable(hop), hop.hash_known_hosts)


def _not_certified(shown: Shown, authorities: Sequence[Entry], hop: Settings) -> str:
    """What is wrong with the certificate, or that there is none; nothing where it holds."""
    found = shown.certificate
    if found is None:
        return "shows no certificate" if not shown.blob else "shows a certificate that cannot be read"
    if found.authority not in [_blob(entry.key) for entry in authorities]:
        signer = HostKey(type_of(found.authority), base64.b64encode(found.authority).decode())
        return f"shows a certificate by another authority, {signer.kind} {signer.fingerprint}"
    if found.key != _blob(shown.key) or found.algorithm not in hop.ca_signature_algorithms:
        return f"shows a certificate that is signed with {found.algorithm or 'nothing'}"
    if not found.is_genuine:
        return "shows a certificate whose signature does not hold"
    return _does_not_hold(found, (hop.host_key_alias or hop.host).lower(), time.time())


def _does_not_hold(found: Certificate, name: str, now: float) -> str:
    if found.kind != Kind.HOST:
        return "shows a certificate that is not for hosts"
    if now < found.valid_after:
        return f"shows a certificate that holds only from {_time(found.valid_after)} on"
    if now >= found.valid_before:
        return f"shows a certificate that ended on {_time(found.valid_before)}"
    names = [principal.decode(errors="replace") for principal in found.principals]
    # As from OpenSSH 10.3 on: before it, no names were for every host (CVE-2026-35414), and patterns for none.
    if not any(fnmatchcase(name, as_glob(each)) for each in names):
        return f"shows a certificate for {', '.join(names) or 'no name'}, and not for {name}"
    if found.critical_options:
        options = b", ".join(found.critical_options).decode(errors="replace")
        return f"shows a certificate on conditions that raycluster does not know: {options}"
    return ""


def _time(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _keys(shown: Shown) -> list[bytes]:
    """The keys that a file may have revoked: the host's, and its authority's."""
    found = shown.certificate
    return [_blob(shown.key), *([found.authority] if found else [])]


def _blob(key: HostKey) -> bytes:
    return base64.b64decode(key.base64)


def accept(hop: Settings, unknown: Unknown) -> Verdict:
    """Put a new key on file, unless somebody else just did. As with `ssh`, it need not be possible."""
    if unknown.file is None:
        return unknown
    try:
        with locked(unknown.file) as file:
            verdict = judge(hop, unknown.key)
            if isinstance(verdict, Unknown):
                append(file, unknown.name, unknown.key, hashed=unknown.hashed)
                return Known(unknown.name, unknown.key)
            return verdict
    except OSError as error:
        warning = f"any host key of {hop.address} is taken: {_unwritable(unknown.file, error)}"
        return Known(unknown.name, unknown.key, warning)


def record(unknown: Unknown) -> Failure | None:
    """Put a key on file that somebody has looked at."""
    if unknown.file is None:
        return Failure(
            FailureKind.HOST_KEY, f"there is no file to record {unknown.name} in", fix=_keep("the host")
        )
    try:
        with locked(unknown.file) as file:
            append(file, unknown.name, unknown.key, hashed=unknown.hashed)
    except OSError as error:
        what = _unwritable(unknown.file, error)
        return Failure(FailureKind.HOST_KEY, what, fix=f"check {unknown.file}")
    return None


def refusal(verdict: Verdict, hop: Settings, told: str = "") -> Failure:
    """The screen for a key that is not trusted; `told`: what KnownHostsCommand has done about it."""
    what, detail, fix = _explained(verdict, hop, told)
    return Failure(FailureKind.HOST_KEY, what, detail=detail, fix=fix)


def _explained(verdict: Verdict, hop: Settings, told: str) -> tuple[str, str, str]:
    shown = f"{verdict.key.kind} {verdict.key.fingerprint}"
    match verdict:
        case Changed(name, _, expected):
            what = f"the host key of {hop.address} has changed"
            detail = (
                f"shown    {shown}\n"
                f"on file  {expected.key.kind} {expected.key.fingerprint}  ({expected.place})\n"
                "Either the host was reinstalled, or somebody is listening in."
            )
            forget = f"ssh-keygen -R {shlex.quote(name)} -f {shlex.quote(str(expected.file))}"
            fix = f"if the change is right: {forget if expected.file else 'let KnownHostsCommand tell the new key'}"
        case Revoked(_, key, place):
            what = f"the {key.kind} host key of {hop.address} is revoked ({place})"
            detail = f"shown  {shown}"
            fix = "give the host a new key, or ask whoever revoked this one"
        case Uncertified(_, _, authority, why):
            what = f"{hop.address} {why}"
            detail = f"shown  {shown}\n{authority.place} has an authority for it, which does not vouch for this key."
            fix = (
                "let it certify the host (HostCertificate in its sshd_config); to judge the key yourself instead: "
                + hop.by_hand("-o", "StrictHostKeyChecking=ask")
            )
        case _:
            nothing = "" if _first_writable(hop) else "~/.ssh/config keeps no host keys, so every one is new."
            what = f"the host key of {hop.address} is not known: {shown}"
            detail = "\n".join(filter(None, (nothing, told)))
            fix = _keep(hop.name) if nothing else ours("trust")
    return what, detail, fix


def _keep(host: str) -> str:
    return f"set UserKnownHostsFile ~/.ssh/known_hosts for {host} in ~/.ssh/config, then {ours('trust')}"


def _entries(hop: Settings, name: str) -> list[Entry]:
    files = (*hop.known_hosts, *hop.global_known_hosts)
    return [entry for entry in entries_for(files, name) if entry.key.is_whole]


def _first_writable(hop: Settings) -> Path | None:
    return next((file for file in hop.known_hosts if file != Path("/dev/null")), None)


def _unwritable(file: Path, error: OSError) -> str:
    return f"{file} cannot be written: {error.strerror}"
