"""A TCP connection that a host makes for us, as `ssh -L` would have it made."""

from typing import TYPE_CHECKING

from orchestrator.remote.ssh.connection import Connection
from orchestrator.remote.ssh.errors import lost, unanswered
from orchestrator.remote.transport import Failure, FailureError, FailureKind, Wire

if TYPE_CHECKING:
    import paramiko

MOMENT = 0.1  # seconds after which a connection that breaks says so
FORBIDDEN = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, RFC 4254, section 5.1
NOBODY = ("127.0.0.1", 0)  # on whose behalf: sshd notes it, and makes nothing of it


def wire(connection: Connection, address: str, port: int, seconds: float) -> Wire:
    """The connection, or Refused; the host has `seconds` for it."""
    import paramiko  # noqa: PLC0415 - slow to import

    try:
        return connection.transport.open_channel("direct-tcpip", (address, port), NOBODY, timeout=seconds)
    except paramiko.ChannelException as refusal:
        raise FailureError(_refused(connection, address, port, refusal)) from refusal
    except (paramiko.SSHException, OSError, EOFError) as error:
        connection.transport.join(MOMENT)
        raise FailureError(
            unanswered(connection.host) if connection.alive else lost(connection.host)
        ) from error


def _refused(
    connection: Connection, address: str, port: int, refusal: "paramiko.ChannelException"
) -> Failure:
    host = connection.host.address
    if refusal.code == FORBIDDEN:
        fix = "allow it in its sshd_config: AllowTcpForwarding local, and no DisableForwarding"
        return Failure(FailureKind.UNREACHABLE, f"the SSH server of {host} forbids tunnels", fix=fix)
    return Failure(FailureKind.UNREACHABLE, f"nothing answers at {address}:{port} on {host}")
