"""The way to a host: over SSH, or none where it is this machine."""

from orchestrator.model.cluster import Node
from orchestrator.remote import ssh
from orchestrator.remote.local import LocalTransport
from orchestrator.remote.transport import Transport


def transport(node: Node) -> Transport:
    return LocalTransport() if node.is_local else ssh.SshTransport(node.host, node.ssh)
