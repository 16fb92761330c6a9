"""What only shows when hosts are put side by side."""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

from orchestrator.model.cluster import Cluster
from orchestrator.plan.actions.images import outdated
from orchestrator.plan.checks.finding import Finding, Findings, failure, warning
from orchestrator.plan.facts.address import NodeAddress, places
from orchestrator.plan.facts.host import Address, Facts, HostFacts


def seen(cluster: Cluster, facts: Facts) -> dict[str, HostFacts]:
    """The hosts of the inventory that could be asked: Ray may know of others, or these by another address."""
    each = ((node.name, facts[node.name]) for node in cluster.nodes)
    return {name: here for name, here in each if isinstance(here, HostFacts)}


def clashes(cluster: Cluster, facts: Facts) -> Findings:
    """Two entries of the inventory that are one machine, or two machines with one address."""
    hosts, where = seen(cluster, facts), places(cluster, facts)
    carrying = {_at(hosts[name], place).card for name, place in where.items()}
    for one, other in combinations(hosts, 2):
        used = {where[name].ip for name in (one, other) if name in where}
        if cards := carrying & _cards(hosts[one]) & _cards(hosts[other]):
            after = f": both have the network card {min(cards)}"
            yield from _both(one, other, "is the same machine as ", after)
        elif ips := used & _ips(hosts[one]) & _ips(hosts[other]):
            yield from _both(one, other, f"has the address {min(ips)}, and so has ", ", another machine")


def _both(one: str, other: str, before: str, after: str) -> Findings:
    fix = "give each machine one entry, and each entry its own machine's `host` and `ip`"
    yield failure(one, "address", before + other + after, fix)
    yield failure(other, "address", before + one + after, fix)


def _ips(facts: HostFacts) -> set[str]:
    return {each.ip for each in facts.addresses}


def _cards(facts: HostFacts) -> set[str]:
    """The machine's cards. Of these only one that carries an `ip` tells machines apart.

    Others are alike on machines that have nothing to do with each other: bridges, tunnels, the BMC's USB.
    """
    return {each.card for each in facts.addresses if each.card and not _made_up(each.card)}


def _made_up(card: str) -> bool:
    """Of Docker's bridges, of loopback, and of tunnels, where it is an IP."""
    return "." in card or card.startswith(("02:42:", "00:00:00:00:00:00"))


def differences(cluster: Cluster, facts: Facts) -> Findings:
    """What should be the same on all hosts and is not."""
    hosts, where = seen(cluster, facts), places(cluster, facts)
    yield from _images(cluster, hosts)
    mtus = {name: _at(hosts[name], place).mtu for name, place in where.items()}
    yield from apart(
        {name: mtu for name, mtu in mtus.items() if mtu},
        "address",
        lambda each: f"MTU {each}",
        "give the interfaces of `ip` one MTU",
    )


def _images(cluster: Cluster, hosts: Mapping[str, HostFacts]) -> Findings:
    """Of images that each host has built, it is what they were built from that should be the same."""
    images = {name: _image(cluster, here) for name, here in hosts.items()}
    found = {name: each for name, each in images.items() if each}
    again = (
        f"pull it anew on all: {'raycluster pull' if cluster.ray.install else f'docker pull {cluster.image}'}"
    )
    below = f"{cluster.image} below Ray: " if cluster.ray.install else ""
    yield from apart(
        found,
        "image",
        lambda each: f"{below}image {str(each).removeprefix('sha256:')[:12]}",
        f"{again}; or write the image with its digest",
    )


def _image(cluster: Cluster, here: HostFacts) -> str:
    if cluster.ray.install:
        return here.derived.built_from if here.derived else ""
    return here.image_id


def outdated_images(cluster: Cluster, facts: Facts) -> Findings:
    """Images with Ray that `up` will replace."""
    for node in cluster.nodes:
        if why := outdated(cluster, node, facts):
            yield warning(node.name, "image", f"its image with Ray is out of date: {why}", "raycluster up")


def apart(
    values: Mapping[str, object], topic: str, shown: Callable[[object], str], fix: str
) -> Iterator[Finding]:
    """A warning on each host that is not as most are."""
    for name, other in unlike(values):
        told = f"has {shown(values[name])}, {other} has {shown(values[other])}"
        yield warning(name, topic, told, fix)


def unlike(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Each host that is not as most are, beside the first that is; of several kinds, the first host's counts."""
    found = list(values.values())
    common = max(found, key=found.count, default=None)
    for name, value in values.items():
        if value != common:
            yield name, next(each for each in values if values[each] == common)


def _at(facts: HostFacts, place: NodeAddress) -> Address:
    return next(each for each in facts.addresses if each.ip == place.ip)
