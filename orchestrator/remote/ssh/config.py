"""Settings of a login: what `ssh` itself would do, with the inventory's word above it."""

import getpass
import os
import re
import shlex
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import CONNECT_TIMEOUT, HostKeys, Ssh
from orchestrator.model.ssh_target import host_port, split
from orchestrator.remote.ssh.heard import HOST_KEY
from orchestrator.remote.ssh.keywords import NAMED, ONLY_IF_WRITTEN, UnknownKeyword
from orchestrator.remote.ssh.openssh_config import Options, ask_ssh, connection_hash, home, unusable
from orchestrator.remote.ssh.paramiko_setup import import_fabric
from orchestrator.remote.transport import Failure, FailureError


def effective(host: str, ssh: Ssh) -> Ssh | Failure:
    """The settings with which a host is logged in to, once `~/.ssh/config` has been asked."""
    try:
        hop = settings(host, ssh)
    except FailureError as refused:
        return refused.failure
    keys = ", ".join(short(file) for file in hop.identity_files if file.is_file())
    return replace(
        ssh,
        user=hop.user,
        port=hop.port,
        key=ssh.key or keys or None,
        jump=ssh.jump or ",".join(hop.proxy_jump) or None,
        connect_timeout=hop.connect_timeout,
        host_keys=ssh.host_keys or hop.host_keys,
    )


def short(file: Path) -> str:
    home = Path.home()
    return f"~/{file.relative_to(home)}" if file.is_relative_to(home) else str(file)


SSH_PORT = 22
NO_TOKENS: Mapping[str, str] = {}
FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
KEY_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
HOST_KEY_ALGORITHMS = (*(f"{plain}-cert-v01@openssh.com" for plain in KEY_ALGORITHMS), *KEY_ALGORITHMS)
BUILT_IN = "internal"
RECORDS = ("accept-new", "no", "off", "false")
"""StrictHostKeyChecking's words for recording an unknown key. A key that has changed is refused in any case."""

# What OpenSSH has compiled in, for where there is no OpenSSH to ask.
KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
AGENT = ("SSH_AUTH_SOCK",)
KNOWN_HOSTS_FILES = ("userknownhostsfile", "globalknownhostsfile")
GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")

NOT_SENT = ("LANG", "LANGUAGE", "LC_*")
"""Debian's ssh_config sends them; but what hosts answer is read, and that is in English."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One hop: the host itself, or a jump host on the way to it."""

    name: str  # as the inventory or ProxyJump has it
    host: str
    port: int
    user: str
    identity_files: tuple[Path, ...] = ()
    certificate_files: tuple[Path, ...] = ()
    identities_only: bool = False
    key: Path | None = None  # the one of the inventory
    keys_off: str = ""  # what in ~/.ssh/config keeps `ssh` from showing any
    pkcs11_provider: str | None = None
    security_key_provider: str | None = None
    agent: Path | None = None
    known_hosts: tuple[Path, ...] = ()
    global_known_hosts: tuple[Path, ...] = ()
    host_key_alias: str | None = None
    host_keys: HostKeys = HostKeys.STRICT  # what ~/.ssh/config says of unknown ones
    host_key_algorithms: tuple[str, ...] = HOST_KEY_ALGORITHMS
    ca_signature_algorithms: tuple[str, ...] = KEY_ALGORITHMS
    hash_known_hosts: bool = False
    known_hosts_command: str | None = None
    revoked_host_keys: Path | None = None
    is_jump: bool = False
    proxy_jump: tuple[str, ...] = ()
    proxy_command: str | None = None
    proxy_passes_fd: bool = False
    family: socket.AddressFamily = socket.AF_UNSPEC
    bind_address: str | None = None
    bind_interface: str | None = None
    connect_timeout: float | None = None
    environment: tuple[tuple[str, str], ...] = ()
    ciphers: tuple[str, ...] = ()  # empty: all that raycluster has, as for the next two
    macs: tuple[str, ...] = ()
    kex: tuple[str, ...] = ()
    control_path: Path | None = None
    gssapi: bool = False
    unknown: tuple[UnknownKeyword, ...] = ()

    @property
    def connect_seconds(self) -> float:
        return self.connect_timeout or CONNECT_TIMEOUT

    @property
    def address(self) -> str:
        return host_port(self.host, self.port)

    @property
    def login(self) -> str:
        return f"{self.user}@{self.address}"

    def by_hand(self, *options: str) -> str:
        """The `ssh` line with which a person tries the same; the jump hosts may be the inventory's alone."""
        jump = ("-J", ",".join(self.proxy_jump)) if self.proxy_jump else ()
        return shlex.join(("ssh", *options, *jump, "-p", str(self.port), f"{self.user}@{self.name}"))

    @property
    def known_as(self) -> str:
        """The name under which known_hosts files have the host."""
        plain = self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"
        return (self.host_key_alias or plain).lower()


def route(
    host: str, ssh: Ssh, config: Path | None = None, alike: tuple[str, ...] = ()
) -> tuple[Settings, ...]:
    """Every hop on the way to a host, the host last.

    As with `ssh -J`, a jump host has its own settings and its own login name. The inventory's key is
    offered to it too, after its own. `config` stands in for `~/.ssh/config`; `alike`: see `ask_ssh`.
    """
    return _route(settings(host, ssh, config, alike), ssh, config, passed=())


def _route(target: Settings, ssh: Ssh, config: Path | None, passed: tuple[str, ...]) -> tuple[Settings, ...]:
    host = target.name
    if host in passed:
        raise unusable(f"the way to {host} leads through {host}", fix="check ProxyJump in ~/.ssh/config")
    if not target.proxy_jump:
        return (target,)
    first, *others = target.proxy_jump
    name, own = _jump(first, ssh)
    way = _route(settings(name, own, config), own, config, passed=(*passed, host))
    # Only the first jump host is reached by its own ways; the others through the one before them.
    way += tuple(settings(*_jump(other, replace(ssh, jump="none")), config) for other in others)
    spare = (named_key(ssh.key),) if ssh.key else ()
    jumps = (replace(hop, is_jump=True, identity_files=hop.identity_files + spare) for hop in way)
    return (*jumps, target)


def _jump(spec: str, ssh: Ssh) -> tuple[str, Ssh]:
    """A ProxyJump's `[ssh://][user@]host[:port]`, as what `settings` takes."""
    found = split(spec.strip().removeprefix("ssh://").rstrip("/"))
    if not found or not (found[2] or "1").isdigit():
        raise unusable(
            f'"{spec}" is not a jump host', fix="write it as [user@]host[:port], several with commas"
        )
    user, host, port = found
    host = host.removeprefix("[").removesuffix("]")  # as `ssh -G` prints any host of a URL
    jump = ssh.jump if ssh.jump == "none" else None
    return host, replace(ssh, user=user, port=int(port) if port else None, key=None, jump=jump)


def settings(host: str, ssh: Ssh, config: Path | None = None, alike: tuple[str, ...] = ()) -> Settings:
    """One hop's settings."""
    options = ask_ssh(host, ssh, config, alike)
    if options is None:
        options = _read_config(host, config)
    one = {key: values[0] for key, values in options.items() if values and values[0] != "none"}
    hop = Settings(
        name=host,
        host=one.get("hostname", host),
        port=ssh.port or int(one.get("port", SSH_PORT)),
        user=ssh.user or one.get("user") or getpass.getuser(),
        identities_only=one.get("identitiesonly") == "yes",
        host_key_alias=one.get("hostkeyalias"),
        hash_known_hosts=one.get("hashknownhosts") == "yes",
        family=FAMILIES.get(one.get("addressfamily", "any"), socket.AF_UNSPEC),
        proxy_passes_fd=one.get("proxyusefdpass") == "yes",
        bind_address=one.get("bindaddress"),
        bind_interface=one.get("bindinterface"),
        connect_timeout=ssh.connect_timeout or _seconds(one.get("connecttimeout")),
        environment=_environment(options),
        ciphers=_algorithms(one.get("ciphers")),
        macs=_algorithms(one.get("macs")),
        kex=_algorithms(one.get("kexalgorithms")),
        gssapi=one.get("gssapiauthentication") == "yes",
        unknown=tuple(
            each
            for key, each in NAMED.items()
            if options.get(key, each.without_effect)[0] not in each.without_effect
        ),
    )
    hop = replace(hop, proxy_jump=_jumps(_on_the_way(ssh.jump or one.get("proxyjump", ""), hop)))
    return replace(
        hop,
        agent=_agent(options.get("identityagent", AGENT)[0], hop),
        identity_files=_identities(ssh.key, options.get("identityfile", KEYS), hop),
        known_hosts=_files(options.get("userknownhostsfile", KNOWN_HOSTS), hop),
        global_known_hosts=_files(options.get("globalknownhostsfile", GLOBAL_KNOWN_HOSTS), hop),
        control_path=_place(expand(control, hop)) if (control := one.get("controlpath")) else None,
        proxy_command=_on_the_way(command, hop) if (command := one.get("proxycommand")) else None,
        certificate_files=_identities(None, options.get("certificatefile", ()), hop),
        key=named_key(ssh.key) if ssh.key else None,
        keys_off=_keys_off(one),
        host_keys=HostKeys.ACCEPT_NEW if one.get("stricthostkeychecking") in RECORDS else HostKeys.STRICT,
        host_key_algorithms=_known_algorithms(
            one.get("hostkeyalgorithms"), HOST_KEY_ALGORITHMS, HOST_KEY.if_named
        ),
        ca_signature_algorithms=_known_algorithms(one.get("casignaturealgorithms"), KEY_ALGORITHMS),
        known_hosts_command=one.get("knownhostscommand"),
        revoked_host_keys=_place(expand(revoked, hop)) if (revoked := one.get("revokedhostkeys")) else None,
        pkcs11_provider=one.get("pkcs11provider"),
        security_key_provider=_provider(one.get("securitykeyprovider", BUILT_IN)),
    )


def _read_config(host: str, config: Path | None) -> Options:
    """Without an OpenSSH client: paramiko's reader. It knows no `Include`."""
    import_fabric()
    import paramiko  # noqa: PLC0415 - slow to import, and almost never needed here

    usual = (Path("~/.ssh/config").expanduser(), Path("/etc/ssh/ssh_config"))
    read = paramiko.SSHConfig()
    try:
        for file in (config,) if config else usual:
            if file.is_file():
                with file.open(errors="replace") as lines:
                    read.parse(lines)
        found = read.lookup(host)
        int(found.get("port", SSH_PORT))
        files = {key: _names(found[key]) for key in KNOWN_HOSTS_FILES if key in found}
    except (paramiko.SSHException, ValueError) as error:
        raise unusable(
            f"the SSH config is of no use for {host}", fix="check ~/.ssh/config", detail=str(error)
        ) from error
    options: dict[str, list[str]] = {}
    for key, value in found.items():
        options[key] = [value] if isinstance(value, str) else value
    options |= files
    return {key: values for key, values in options.items() if key not in ONLY_IF_WRITTEN}


def _names(written: str) -> list[str]:
    """The names of several files; or of one with blanks, which paramiko's reader has without its quotes."""
    return [written] if Path(written).expanduser().is_file() else shlex.split(written)


def _seconds(written: str | None) -> float | None:
    """None for 0, which is no limit to `ssh`, and for `1m`, as it is written where there is no OpenSSH client."""
    return float(written) if written and written.isdigit() and int(written) else None


def _algorithms(written: str | None) -> tuple[str, ...]:
    return tuple(written.split(",")) if written else ()


def _environment(options: Options) -> tuple[tuple[str, str], ...]:
    """What commands are to find in their environment, as far as the host's sshd accepts it (AcceptEnv)."""
    patterns = options.get("sendenv", ())
    names = [name for name in os.environ if _matches(name, patterns) and not _matches(name, NOT_SENT)]
    sent = {name: os.environ[name] for name in names}
    set_here = (assignment.partition("=") for assignment in options.get("setenv", ()))
    return tuple((sent | {name: value for name, _, value in set_here}).items())


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _jumps(text: str) -> tuple[str, ...]:
    return tuple(jump.strip() for jump in text.split(",")) if text not in ("", "none") else ()


def _on_the_way(text: str, hop: Settings) -> str:
    """The tokens of ProxyCommand and ProxyJump; variables are for the shell."""
    return re.sub("%[%hnpr]", lambda token: _tokens(hop)[token[0]], text)


def _identities(key: str | None, files: Sequence[str], hop: Settings) -> tuple[Path, ...]:
    if key:
        return (named_key(key),)
    return tuple(_place(expand(file, hop)) for file in files if file != "none")


def named_key(key: str) -> Path:
    """The inventory's key, which has to be there: it was asked for by name."""
    with suppress(OSError, RuntimeError):  # a name too long for any file, a ~user whom nobody knows
        file = Path(key).expanduser()
        if file.is_file():
            return file
    raise unusable(f"the key {key} does not exist", fix="check `ssh.key` in the inventory")


def _known_algorithms(
    written: str | None, usual: tuple[str, ...], if_named: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Those of a list that we have. Without OpenSSH to ask, one that begins with a sign is not worked out."""
    if written is None or written[:1] in "+-^":
        return usual
    return tuple(each for each in written.split(",") if each in usual + if_named)


def _provider(written: str) -> str | None:
    return None if written == BUILT_IN or written.startswith("$") else written


def _keys_off(one: Mapping[str, str]) -> str:
    if one.get("pubkeyauthentication") in ("no", "false"):
        return "PubkeyAuthentication no"
    preferred = one.get("preferredauthentications", "publickey")
    return "" if "publickey" in preferred.split(",") else f"PreferredAuthentications {preferred}"


def _agent(written: str, hop: Settings) -> Path | None:
    variable = re.fullmatch(r"\$(\w+)|(SSH_AUTH_SOCK)", written)
    place = os.environ.get(variable[1] or variable[2], "none") if variable else expand(written, hop)
    return None if place in ("", "none") else _place(place)


def _files(written: Sequence[str], hop: Settings) -> tuple[Path, ...]:
    return tuple(_place(expand(name, hop)) for name in written if name != "none")


@lru_cache
def _place(name: str) -> Path:
    """The same for most hosts of a fleet."""
    try:
        return Path(re.sub("^~(?=/|$)", lambda _: home(), name)).expanduser()
    except RuntimeError as error:  # a ~user whom nobody knows
        raise unusable(
            f"the SSH config names {name}: there is no such user", fix="check ~/.ssh/config"
        ) from error


def expand(text: str, hop: Settings, more: Mapping[str, str] = NO_TOKENS) -> str:
    """The `%` tokens and `${VARIABLES}` that `ssh -G` leaves as they are written; `more` are those of one keyword."""
    if "%" not in text and "$" not in text:
        return text
    tokens = {**_tokens(hop), **more}
    text = re.sub("%.", lambda token: tokens.get(token[0], token[0]), text)
    return re.sub(r"\$\{(\w+)\}", lambda name: _variable(name[1], text), text)


def _variable(name: str, text: str) -> str:
    if name not in os.environ:
        message = f"the SSH config names {text}, and there is no variable {name}"
        raise unusable(message, fix=f"export {name}=…, or check ~/.ssh/config")
    return os.environ[name]


def _tokens(hop: Settings) -> dict[str, str]:
    jump = ",".join(hop.proxy_jump)
    return {
        "%%": "%",
        "%C": connection_hash(hop.host, str(hop.port), hop.user, jump),
        "%h": hop.host,
        "%j": jump,
        "%n": hop.name,
        "%k": hop.host_key_alias or hop.name,
        "%p": str(hop.port),
        "%r": hop.user,
        "%u": getpass.getuser(),
        "%d": home(),
        "%i": str(os.getuid()),
        "%l": socket.gethostname(),
        "%L": socket.gethostname().partition(".")[0],
    }
