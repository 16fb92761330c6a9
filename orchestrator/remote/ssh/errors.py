"""Errors of SSH: an exception in, a Failure out."""

import re
import shlex
import socket

from orchestrator.frozen import dataclass
from orchestrator.model import redact
from orchestrator.remote.ssh.config import Settings
from orchestrator.remote.ssh.heard import Heard, NothingInCommon
from orchestrator.remote.transport import Failure, FailureKind

FORBIDDEN = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, RFC 4254, section 5.1
NOT_FOUND = 127  # the exit code of a shell that does not find the command

PENALTY = (
    "wait: its sshd is busy (MaxStartups), or refuses this machine's address for a while after failed logins "
    "(PerSourcePenalties: 15 s and more, 10 min at most)"
)
SERVER_WORDS = (
    ("Not allowed at this time", PENALTY),  # OpenSSH 9.8 and newer
    ("Exceeded MaxStartups", "try again: too many log in to it at once (MaxStartups in its sshd_config)"),
    ("HTTP/", "that is a web server: look at the port, and at HostName and Port in ~/.ssh/config"),
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an error came with. `late`: the seconds that there were to connect, where they are over."""

    via: Settings | None
    via_said: str
    heard: Heard
    late: float | None


class SourceAddressError(OSError):
    """BindAddress or BindInterface cannot be called from."""


def hung_up(error: BaseException) -> bool:
    """Whether the server took the call and dropped it, as a busy sshd does (MaxStartups).

    An sshd that says `Not allowed at this time` may be busy, too. If it punishes an address instead, it adds nothing
    for calls that it drops.
    """
    dropped = (EOFError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
    return isinstance(error, dropped) or isinstance(error.__context__, dropped)


def explain(error: Exception, hop: Settings, around: Circumstances) -> Failure:
    what, fix, *more = (
        _from_gateway(error, hop, around)
        or _from_proxy(error, hop, around)
        or _from_source(error, hop)
        or _from_lookup(error, hop)
        or _from_network(error, hop, around)
        or _from_algorithms(around.heard.lack, hop)
        or _from_ssh(error, hop, around.heard)
    )
    way = [f"on the way through {around.via.login}"] if around.via else []
    return Failure(
        FailureKind.UNREACHABLE,
        f"{hop.address} {what}",
        detail="\n".join([*way, *more, *_proxy(hop, around.heard)]),
        fix=fix or f"try: {hop.by_hand()}",
    )


def _proxy(hop: Settings, heard: Heard) -> list[str]:
    """What is behind a wire that is a ProxyCommand's, and what that has said."""
    if heard.proxy is None:
        return []
    said = [f"ProxyCommand {hop.proxy_command}", *filter(None, [heard.proxy.last_words])]
    return [redact.command_line(each) for each in said]


Told = tuple[str, ...] | None
"""What happened, what to do about it, and more lines; None where another knows better."""


def _from_gateway(error: Exception, hop: Settings, around: Circumstances) -> Told:
    via = around.via
    if via is None:  # a first hop may refuse the call while Fabric is still being imported
        return None
    import paramiko  # noqa: PLC0415 - slow to import

    if not isinstance(error, paramiko.ChannelException):
        return None
    if error.code == FORBIDDEN:
        allow = "allow it in the sshd_config (AllowTcpForwarding, PermitOpen, DisableForwarding) or authorized_keys of"
        instead = f"ProxyCommand {via.by_hand()} nc %h %p"
        return (
            f"cannot be reached from {via.address}: its sshd forbids to forward connections there",
            f"{allow} {via.name}; or, instead of a jump host, in ~/.ssh/config: {instead}",
        )
    script = shlex.quote(f"timeout 5 bash -c '</dev/tcp/{hop.host}/{hop.port}'")
    return (
        f"cannot be reached from {via.address}: {around.via_said or error.text}",
        f"try: {via.by_hand()} {script}",
    )


def _from_proxy(error: Exception, hop: Settings, around: Circumstances) -> Told:
    proxy, heard = around.heard.proxy, around.heard
    if proxy is None:
        return None
    if around.late is not None and not heard.is_ssh:
        twice = f"{2 * around.late:g}"
        longer = f"give it longer: ssh.connect_timeout, such as {twice}, or ConnectTimeout in ~/.ssh/config"
        return f"is not reached: its ProxyCommand has not answered in {around.late:g} s", longer, *heard.words
    ended_well = proxy.exit_code == 0
    if not hung_up(error) or proxy.exit_code is None or (ended_well and heard.greeting):
        return None
    command = hop.proxy_command or ""
    last = (proxy.last_words.splitlines() or heard.words or [""])[-1]
    why = (
        f"its ProxyCommand ended with exit code {proxy.exit_code}{last and f': {redact.command_line(last)}'}"
    )
    if ended_well:
        to_see = redact.command_line(command)
        fix = f"does it connect to a server, and that one greet? `SSH-2.0-…` should come of: {to_see}"
    else:
        fix = _not_found(command) if proxy.exit_code == NOT_FOUND else ""
    return f"cannot be reached: {why}", fix


def _not_found(command: str) -> str:
    """`exec` is put before a ProxyCommand, as by `ssh`; and what stands behind it has to be a program."""
    first = command.split(maxsplit=1)[0]
    if first == "exec":
        return "take its `exec` away in ~/.ssh/config: there is one before it anyway"
    if re.fullmatch(r"\w+=.*", first):
        return f"write ProxyCommand env {first.partition('=')[0]}=… in ~/.ssh/config: `exec` is put before it"
    return "install that command where the ProxyCommand runs it, or put it on PATH there"


def _from_source(error: Exception, hop: Settings) -> Told:
    if not isinstance(error, SourceAddressError):
        return None
    keyword = "BindAddress" if hop.bind_address else "BindInterface"
    written = f"{keyword} {hop.bind_address or hop.bind_interface}"
    return f"cannot be connected to from {written}: {error.strerror}", f"check {keyword} in ~/.ssh/config"


def _from_lookup(error: Exception, hop: Settings) -> Told:
    if not isinstance(error, socket.gaierror):
        return None
    if not hop.family:
        return "cannot be looked up: its host name does not resolve", f"try: getent hosts {hop.host}"
    family = "inet6" if hop.family == socket.AF_INET6 else "inet"
    return (
        f"cannot be looked up with AddressFamily {family}: {error.strerror}",
        f"check AddressFamily in ~/.ssh/config; what is there: getent ahosts {hop.host}",
    )


def _from_network(error: Exception, hop: Settings, around: Circumstances) -> Told:
    late = around.late is not None
    match error:
        case ConnectionRefusedError():
            return "refuses connections", "is sshd running there, and on this port?"
        case _ if isinstance(error, TimeoutError) or (around.via and late):
            return "does not answer", "is the host up, and the port open in its firewall?"
        case _ if late and not around.heard.words:
            return (
                "accepts connections, but says nothing",
                f"is its sshd stuck, or the host? try: {hop.by_hand()}",
            )
        case OSError() if error.strerror and not hung_up(error):
            return f"cannot be reached: {error.strerror}", ""
    return None


def _from_algorithms(lack: NothingInCommon | None, hop: Settings) -> Told:
    if lack is None:
        return None
    kind, offered = lack.kind, ",".join(lack.offered)
    in_common = [name for name in lack.known if name in lack.offered]
    if in_common:
        what = f"has no {kind.kind} that {kind.keyword} in the SSH config names"
        return what, f"add to {kind.keyword} in ~/.ssh/config: {in_common[0]}", f"It has: {offered}"
    if if_named := [name for name in kind.if_named if name in lack.offered]:
        return (
            f"has no {kind.kind} but {offered}: SHA-1, which is used only where the SSH config names it",
            f"set for {hop.name} in ~/.ssh/config: {kind.keyword} +{if_named[0]}",
        )
    return (
        f"has no {kind.kind} that raycluster knows, only {offered}",
        f"let its sshd_config say: {kind.keyword} {offered},{kind.add}",
        f"raycluster has: {','.join(lack.known)}",
    )


def _from_ssh(error: Exception, hop: Settings, heard: Heard) -> tuple[str, ...]:
    words = [] if heard.is_ssh and not hung_up(error) else heard.words
    told = [(word, fix) for word in words for start, fix in SERVER_WORDS if word.startswith(start)]
    said, fix = told[0] if told else (words[-1] if words else heard.goodbye, "")
    if hung_up(error) or heard.goodbye:
        busy = (
            f"is its sshd busy (MaxStartups), or does its hosts.deny name this machine? try: {hop.by_hand()}"
        )
        return f"closes the connection before the login{said and f', saying: {said}'}", fix or (
            "" if said else busy
        )
    if words:
        return f"does not speak SSH, it says: {said}", fix or "is that its SSH port?"
    return f"does not speak SSH as it should: {error or type(error).__name__}", ""


def unanswered(host: Settings) -> Failure:
    fix = "is the host still up, and the network to it?"
    return Failure(FailureKind.UNREACHABLE, f"{host.address} does not answer any more", fix=fix)


def lost(host: Settings, last_words: str = "") -> Failure:
    return Failure(
        FailureKind.UNREACHABLE,
        f"the connection to {host.address} was lost",
        detail=last_words,
        fix="what was begun there may still be going on; look before doing it again",
    )
