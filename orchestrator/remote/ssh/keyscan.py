"""Host keys of hosts that nobody vouches for yet, for a person to see."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.model.cluster import HostKeys, Ssh
from orchestrator.remote.ssh.config import Settings, route
from orchestrator.remote.ssh.connection import HandshakeSlot, connect
from orchestrator.remote.ssh.host_keys import HostKeyError, Known, Unknown
from orchestrator.remote.ssh.known_hosts import HostKey
from orchestrator.remote.ssh.paramiko_setup import import_fabric
from orchestrator.remote.transport import Failure, FailureError

if TYPE_CHECKING:
    import paramiko


def examine(host: str, ssh: Ssh, config: Path | None = None) -> Known | Unknown | Failure:
    """The first hop to a host whose key is not known; else the host's own. Nobody logs in to it.

    A host behind a jump host can only be seen once the jump host is trusted: record what is
    Unknown, then look again.
    """
    import_fabric()
    slot = HandshakeSlot(ssh.connect_seconds)
    try:
        hops = route(host, ssh, config)
        with closing(connect(hops, HostKeys.STRICT, slot, login=_KeyScan)) as connection:
            key = connection.transport.get_remote_server_key()
            return Known(hops[-1].known_as, HostKey(key.get_name(), key.get_base64()))
    except HostKeyError as refused:
        return refused.verdict if isinstance(refused.verdict, Unknown) else refused.failure
    except FailureError as refused:
        return refused.failure


class _KeyScan:
    """Sees the host's key and leaves without logging in."""

    used = ""

    def __init__(self, hop: Settings, deadline: float) -> None: ...

    def authenticate(self, transport: "paramiko.Transport") -> None: ...
