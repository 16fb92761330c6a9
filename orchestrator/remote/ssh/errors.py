"""Errors of SSH: an exception in, a Failure out."""

import socket
from time import monotonic

from orchestrator.remote.ssh.config import Settings
from orchestrator.remote.transport import Failure, FailureKind


def hung_up(error: BaseException) -> bool:
    """Whether the server took the call and dropped it, as a busy sshd does (MaxStartups)."""
    dropped = (EOFError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
    return isinstance(error, dropped) or isinstance(error.__context__, dropped)


def explain(error: Exception, hop: Settings, via: Settings | None, deadline: float) -> Failure:
    detail = f"on the way through {via.login}" if via else ""
    what, fix = (
        _from_gateway(error, hop, via) or _from_network(error, hop, via, deadline) or _from_ssh(error, hop)
    )
    return Failure(
        FailureKind.UNREACHABLE, f"{hop.address} {what}", detail=detail, fix=fix or f"try: {_by_hand(hop)}"
    )


def _by_hand(hop: Settings) -> str:
    return f"ssh -p {hop.port} {hop.user}@{hop.name}"


def _from_gateway(error: Exception, hop: Settings, via: Settings | None) -> tuple[str, str] | None:
    if via is None:  # a first hop may refuse the call while Fabric is still being imported
        return None
    import paramiko  # noqa: PLC0415 - slow to import

    if isinstance(error, paramiko.ChannelException):
        return f"cannot be reached from {via.address}: {error.text}", f"try on {via.name}: {_by_hand(hop)}"
    return None


def _from_network(
    error: Exception, hop: Settings, via: Settings | None, deadline: float
) -> tuple[str, str] | None:
    match error:
        case socket.gaierror():
            return "cannot be looked up: its host name does not resolve", f"try: getent hosts {hop.host}"
        case ConnectionRefusedError():
            return "refuses connections", "is sshd running there, and on this port?"
        case _ if isinstance(error, TimeoutError) or (via and monotonic() >= deadline):
            return "does not answer", "is the host up, and the port open in its firewall?"
        case _ if monotonic() >= deadline:
            return "takes the call, but says nothing", f"is its sshd stuck, or the host? try: {_by_hand(hop)}"
        case OSError() if error.strerror and not hung_up(error):
            return f"cannot be reached: {error.strerror}", ""
    return None


def _from_ssh(error: Exception, hop: Settings) -> tuple[str, str]:
    if hung_up(error) and hop.proxy_command:
        return f"cannot be reached through its ProxyCommand: {hop.proxy_command}", ""
    if hung_up(error):
        return "hangs up before the login", f"is its sshd busy (MaxStartups)? try: {_by_hand(hop)}"
    return f"does not speak SSH as it should: {error or type(error).__name__}", ""


def unanswered(host: Settings) -> Failure:
    fix = "is the host still up, and the network to it?"
    return Failure(FailureKind.UNREACHABLE, f"{host.address} does not answer any more", fix=fix)


def lost(host: Settings) -> Failure:
    return Failure(
        FailureKind.UNREACHABLE,
        f"the connection to {host.address} was lost",
        fix="what was begun there may still be going on; look before doing it again",
    )
