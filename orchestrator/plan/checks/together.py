"""What only shows when hosts are put side by side."""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

from orchestrator.model.cluster import Cluster
from orchestrator.plan.checks.finding import Finding, Findings, failure, warning
from orchestrator.plan.docker import Place
from orchestrator.plan.facts import Facts, HostFacts
from orchestrator.plan.settle import settle


def seen(facts: Facts) -> dict[str, HostFacts]:
    """The hosts that could be asked."""
    return {name: here for name, here in facts.items() if isinstance(here, HostFacts)}


def clashes(cluster: Cluster, facts: Facts) -> Findings:
    """Two entries of the inventory that are one machine, or two machines with one address."""
    hosts, places = seen(facts), _places(cluster, facts)
    for one, other in combinations(hosts, 2):
        shared = _cards(hosts[one]) & _cards(hosts[other])
        if shared:
            yield from _both(
                one, other, "is the same machine as {}: both have the network card " + min(shared)
            )
        elif one in places and places[one].ip in {address.ip for address in hosts[other].addresses}:
            yield from _both(
                one, other, f"has the address {places[one].ip}, and so has {{}}, another machine"
            )


def _both(one: str, other: str, told: str) -> Findings:
    fix = "give each machine one entry, and each entry its own machine's `host` and `ip`"
    yield failure(one, "address", told.format(other), fix)
    yield failure(other, "address", told.format(one), fix)


def _cards(facts: HostFacts) -> set[str]:
    """The cards of the machine itself: those that hold no address of the others, as docker0's, are made up."""
    return {each.card for each in facts.addresses if each.card and not _made_up(each.card)}


def _made_up(card: str) -> bool:
    """Docker's bridges, whose cards may be alike on all hosts."""
    return card.startswith(("02:42:", "00:00:00:00:00:00"))


def differences(cluster: Cluster, facts: Facts) -> Findings:
    """What should be the same on all hosts and is not."""
    hosts, places = seen(facts), _places(cluster, facts)
    fix = f"pull it anew on all: docker pull {cluster.image}; or write the image with its digest"
    images = {name: here.image_id for name, here in hosts.items() if here.image_id}
    yield from apart(images, "image", lambda each: f"image {str(each).removeprefix('sha256:')[:12]}", fix)
    mtus = {name: _mtu(hosts[name], place) for name, place in places.items()}
    yield from apart(
        {name: mtu for name, mtu in mtus.items() if mtu},
        "address",
        lambda each: f"MTU {each}",
        "give the interfaces of `ip` one MTU",
    )


def apart(
    values: Mapping[str, object], topic: str, shown: Callable[[object], str], fix: str
) -> Iterator[Finding]:
    """A warning on each host that is not as most are."""
    common = most_common(values)
    for name, value in values.items():
        if value != common:
            yield warning(name, topic, f"has {shown(value)}, the other hosts have {shown(common)}", fix)


def most_common(values: Mapping[str, object]) -> object:
    """What most hosts have; of several, what the first of them has."""
    found = list(values.values())
    return max(found, key=found.count, default=None)


def _places(cluster: Cluster, facts: Facts) -> dict[str, Place]:
    hosts = seen(facts)
    settled = {node.name: settle(node, hosts[node.name]) for node in cluster.nodes if node.name in hosts}
    return {name: place for name, place in settled.items() if isinstance(place, Place)}


def _mtu(facts: HostFacts, place: Place) -> int:
    return next((each.mtu for each in facts.addresses if each.ip == place.ip), 0)
