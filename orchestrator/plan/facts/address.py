"""Data address of a node on its host: the interface that carries it, and the home folder."""

from collections.abc import Mapping

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan.facts.host import Address, Facts, HostFacts, Unreachable


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A node's data address, the interface that carries it, the user's home, InfiniBand or not.

    `alike`: whether the name of another of the host's interfaces begins with the name of this one.
    """

    ip: str
    interface: str
    home: str
    infiniband: bool
    alike: bool = False


def node_address(node: Node, facts: HostFacts) -> NodeAddress | str:
    """The node's address on its host, or why it has none."""
    ip, network = node.ip, node.network or ""
    given = tuple(each for each in facts.addresses if each.ip == ip)[:1]
    match given if ip is not None else facts.within(network):
        case (only,):
            others = set(facts.interfaces) - {only.interface}
            alike = any(name.startswith(only.interface) for name in others)
            return NodeAddress(only.ip, only.interface, facts.home, facts.infiniband, alike)
        case () if ip is not None:
            return f"ip {ip} is on no interface of this host, which has {_shown(facts.addresses)}"
        case ():
            return f"no address of this host lies in network {network}: it has {_shown(facts.addresses)}"
        case several:
            return f"several addresses of this host lie in network {network}: {_shown(several)}"


def _shown(addresses: tuple[Address, ...]) -> str:
    return ", ".join(f"{address.ip} ({address.interface})" for address in addresses) or "none"


def places(cluster: Cluster, facts: Mapping[str, HostFacts | Unreachable]) -> dict[str, NodeAddress]:
    """The address of each node whose host was inspected and has one."""
    found = {
        node.name: node_address(node, here)
        for node in cluster.nodes
        if isinstance(here := facts.get(node.name), HostFacts)
    }
    return {name: place for name, place in found.items() if isinstance(place, NodeAddress)}


def addresses(cluster: Cluster, facts: Facts) -> dict[str, str]:
    """The data address of each host that has one."""
    return {name: place.ip for name, place in places(cluster, facts).items()}
