"""Hosts that disagree with each other."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations

from orchestrator.model.cluster import Cluster
from orchestrator.plan.checks.finding import Findings, failure, warning
from orchestrator.plan.facts.address import places
from orchestrator.plan.facts.derived_image import outdated
from orchestrator.plan.facts.host import Address, Facts, HostFacts
from orchestrator.plan.facts.probe import Trial, unequal
from orchestrator.plan.problem import Problem
from orchestrator.plan.remedies import SAME_IMAGE
from orchestrator.plan.typed import ours


def inventory_hosts(cluster: Cluster, facts: Facts) -> dict[str, HostFacts]:
    """The hosts of the inventory that could be asked: Ray may know of others, or these by another address."""
    each = ((node.name, facts[node.name]) for node in cluster.nodes)
    return {name: here for name, here in each if isinstance(here, HostFacts)}


def _data_addresses(cluster: Cluster, facts: Facts) -> dict[str, Address]:
    """The address, with its card and MTU, that carries each host's data."""
    hosts = inventory_hosts(cluster, facts)
    return {
        name: next(each for each in hosts[name].addresses if each.ip == place.ip)
        for name, place in places(cluster, facts).items()
    }


def check_duplicates(cluster: Cluster, facts: Facts) -> Findings:
    """Two entries of the inventory that are one machine, or two machines with one address.

    Only a card that carries an `ip` tells machines apart. Others are alike on machines that have nothing to do with
    each other: bridges, tunnels, the BMC's USB.
    """
    hosts, used = inventory_hosts(cluster, facts), _data_addresses(cluster, facts)
    carrying = {each.card for each in used.values() if each.card and not _is_made_up(each.card)}
    ips = {each.ip for each in used.values()}
    having = defaultdict[str, dict[str, None]](dict)  # by card or address, the hosts
    for name, here in hosts.items():
        for each in here.addresses:
            for key in {each.card} & carrying | {each.ip} & ips:
                having[key][name] = None
    pairs = {pair for names in having.values() for pair in combinations(names, 2)}
    order = {name: index for index, name in enumerate(hosts)}
    for one, other in sorted(pairs, key=lambda pair: (order[pair[0]], order[pair[1]])):
        both = [key for key, names in having.items() if one in names and other in names]
        if cards := carrying.intersection(both):
            texts = "is the same machine as ", f": both have the network card {min(cards)}"
        elif shared := {used[name].ip for name in (one, other) if name in used}.intersection(both):
            texts = f"has the address {min(shared)}, and so has ", ", another machine"
        else:
            continue
        fix = "give each machine one entry, and each entry its own machine's `host` and `ip`"
        yield failure(one, "address", other.join(texts), fix)
        yield failure(other, "address", one.join(texts), fix)


def _is_made_up(card: str) -> bool:
    """Of Docker's bridges, of loopback, and of tunnels, where it is an IP."""
    return "." in card or card.startswith(("02:42:", "00:00:00:00:00:00"))


def check_differences(cluster: Cluster, facts: Facts) -> Findings:
    """What should be the same on all hosts and is not: the image, or what it was built from, and the MTU."""
    install = cluster.ray.install
    again = f"pull it again on all hosts: {ours('pull')}"
    images = {
        name: each
        for name, here in inventory_hosts(cluster, facts).items()
        if (each := _image(cluster, here))
    }
    # A host with Docker's containerd store may run an image and not know its contents.
    images = {name: each for name, each in images.items() if isinstance(each[0], tuple)} or images
    below = f"{cluster.image} below Ray: " if install else ""
    shown = {name: f"{below}image {short}" for name, (_, short) in images.items()}
    mtus = {name: f"MTU {each.mtu}" for name, each in _data_addresses(cluster, facts).items() if each.mtu}
    for values, words, topic, fix in (
        (
            {name: contents for name, (contents, _) in images.items()},
            shown,
            "image",
            f"{again}; or write the image with its digest",
        ),
        (mtus, mtus, "address", "give the interfaces of `ip` one MTU"),
    ):
        for name, other in outliers(values):
            yield warning(name, topic, f"has {words[name]}, {other} has {words[other]}", fix)


def _image(cluster: Cluster, here: HostFacts) -> tuple[object, str] | None:
    """What tells the image from others, and its short ID; for one with `ray.install`, of what is below Ray's layer.

    Not the ID, where its contents are known: Docker's two image stores and Podman give the same image different ones.
    """
    if not cluster.ray.install:
        contents, image_id = here.image_layers, here.image_id
    elif here.derived:
        contents, image_id = here.derived.layers[:-1], here.derived.built_from
    else:
        return None
    short = image_id.removeprefix("sha256:")[:12]
    return (contents or short, short) if short else None


def check_built_images(cluster: Cluster, facts: Facts) -> Findings:
    """Images that `up` will replace: those with Ray, and those that are not the head's where they are to be."""
    what = "its image with Ray" if cluster.ray.install else "its image"
    for node in cluster.nodes:
        if why := outdated(cluster, node, facts):
            yield warning(node.name, "image", f"{what} is out of date: {why}", ours("up"))


def check_versions(trials: Mapping[str, Trial | Problem]) -> Findings:
    """Ray refuses to join nodes whose Ray or Python is another than the head's."""
    found = {name: each.versions for name, each in trials.items() if isinstance(each, Trial) and each.ray}
    for name, other in outliers(found):
        yield failure(name, "ray", unequal(found[name], other, found[other]), SAME_IMAGE)


def outliers(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Each host that is not as most are, beside the first that is; of several kinds, the first host's counts."""
    found = list(values.values())
    common = max(found, key=found.count, default=None)
    for name, value in values.items():
        if value != common:
            yield name, next(each for each in values if values[each] == common)
