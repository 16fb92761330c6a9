"""Networks that hosts share, as far as their addresses show it."""

import re
from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from itertools import combinations

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.host import Address, HostFacts

_OF_ITS_OWN = re.compile(r"lo|(docker|virbr|veth|cni|flannel|cali|podman|br-|tap|kube).*")
"""Interfaces on which a host talks to its own containers and machines; their addresses recur on every host."""

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class SharedNetwork:
    """Addresses of all hosts, by host, that are different and in one network; `network` is empty for none."""

    network: str
    addresses: Mapping[str, Address]

    def __str__(self) -> str:
        interfaces = dict.fromkeys(address.interface for address in self.addresses.values())
        return f"{self.network} ({', '.join(interfaces)})"


def one_machine(hosts: Mapping[str, HostFacts]) -> tuple[str, str, Address] | None:
    """Two hosts that are the same machine, and the address by which one knows."""
    for (one, here), (other, there) in combinations(hosts.items(), 2):
        for address in _usable(here):
            if address.card and address in _usable(there):
                return one, other, address
    return None


def shared_networks(hosts: Mapping[str, HostFacts]) -> tuple[SharedNetwork, ...]:
    """The networks in which each host has exactly one address, the best first: private, then of a large MTU.

    Where there are none, but every host has exactly one address, those.
    """
    usable = {name: _usable(facts) for name, facts in hosts.items()}
    networks = dict.fromkeys(_network(each) for addresses in usable.values() for each in addresses)
    found = []
    for network in networks:
        inside = {name: [a for a in own if _network(a) == network] for name, own in usable.items()}
        if each := _one_each(str(network), inside):
            found.append(each)
    if not found and (alone := _one_each("", usable)):
        return (alone,)
    return tuple(sorted(found, key=_rank))


def beside(facts: HostFacts, others: Collection[str], network: str | None) -> tuple[Address, ...]:
    """The host's addresses in the network, or else in one that all of these addresses are in; of one alone, that."""
    usable = _usable(facts)
    if network:
        return tuple(each for each in usable if ip_address(each.ip) in ip_network(network))
    known = tuple(ip_address(each) for each in others)
    near = tuple(each for each in usable if all(other in _network(each) for other in known))
    return near or (usable if len(usable) == 1 else ())


def list_addresses(facts: HostFacts) -> str:
    """The host's addresses, for a person who has to choose."""
    return ", ".join(f"{each.ip} ({each.interface})" for each in _usable(facts)) or "none"


def _usable(facts: HostFacts) -> tuple[Address, ...]:
    return tuple(each for each in facts.addresses if not _OF_ITS_OWN.fullmatch(each.interface))


def _network(address: Address) -> Network:
    return ip_interface(f"{address.ip}/{address.prefix}" if address.prefix else address.ip).network


def _one_each(network: str, addresses: Mapping[str, Sequence[Address]]) -> SharedNetwork | None:
    """None unless each host has exactly one address, and another than all others."""
    distinct = {each.ip for own in addresses.values() for each in own}
    if any(len(own) != 1 for own in addresses.values()) or len(distinct) != len(addresses):
        return None
    return SharedNetwork(network, {name: only for name, (only,) in addresses.items()})


def _rank(found: SharedNetwork) -> tuple[bool, bool, int]:
    network = ip_interface(found.network).network
    return network.version != 4, not network.is_private, -min(each.mtu for each in found.addresses.values())  # noqa: PLR2004
