"""The way to a host."""

from orchestrator.model.cluster import Node
from orchestrator.remote import ssh
from orchestrator.remote.transport import Transport


def transport(node: Node) -> Transport:
    return ssh.SshTransport(node.host, node.ssh)
