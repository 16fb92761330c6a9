"""Whether the hosts reach each other at the engine's ports, and what stands between those that do not."""

from collections.abc import Mapping

from orchestrator.model.cluster import Cluster
from orchestrator.plan import engine
from orchestrator.plan.checks.finding import Finding, Findings, failure, ok
from orchestrator.plan.facts.probe import Link, Outcome
from orchestrator.plan.ray import ports

REFUSALS = {Outcome.REFUSED: "refused", Outcome.SILENT: "dropped", Outcome.UNREACHABLE: "rejected"}


def linked(cluster: Cluster, ips: Mapping[str, str], links: tuple[Link, ...]) -> Findings:
    """What came of the connections, told of the host that should have been reached."""
    rule = firewall_rule(cluster, ips)
    closed = {(link.source, link.target): link for link in links if link.outcome is not Outcome.OPEN}
    yield from (_closed(link, rule) for link in closed.values())
    for target in dict.fromkeys(link.target for link in links):
        sources = dict.fromkeys(link.source for link in links if link.target == target)
        if reaching := [source for source in sources if (source, target) not in closed]:
            yield ok(target, "network", _reached_by(cluster, reaching))
    if links:
        told = f"{engine.of(cluster).port_owner} ports between the hosts: {_ports(cluster)}"
        yield ok(cluster.head.name, "network", told, rule)


def _reached_by(cluster: Cluster, sources: list[str]) -> str:
    if sources == [cluster.head.name]:
        return "the head reaches it"
    return f"{len(sources)} worker{' reaches' if len(sources) == 1 else 's reach'} it"


def _closed(link: Link, rule: str) -> Finding:
    there = f"at {link.address}"
    if link.alive:
        what = REFUSALS[link.outcome]
        told = f"{link.source} does not reach it {there}: a firewall, for the host answers, but this port is {what}"
        return failure(link.target, "network", told, rule)
    why = "nor does the host answer at all: no route, a cable, or a firewall that drops everything"
    told = f"{link.source} does not reach it {there}, {why}"
    return failure(
        link.target, "network", told, f"on {link.source}: ip route get {_ip(link)}; ping {_ip(link)}"
    )


def firewall_rule(cluster: Cluster, ips: Mapping[str, str]) -> str:
    """The line that lets the hosts in at the engine's ports, for the host on which it is run."""
    return admitting(cluster, ips, f" -m multiport --dports {_ports(cluster)}")


def admitting(cluster: Cluster, ips: Mapping[str, str], where: str = "") -> str:
    """The same at other ports, or at all."""
    tool = "ip6tables" if any(":" in ip for ip in ips.values()) else "iptables"
    peers = _network(cluster) or ",".join(ips.values())
    return f"sudo {tool} -I INPUT -p tcp -s {peers}{where} -j ACCEPT"


def _ports(cluster: Cluster) -> str:
    return ports.spelled(engine.of(cluster).open_between_hosts(cluster), ":")


def _network(cluster: Cluster) -> str:
    """The network that all hosts are in; those with an `ip` of their own may be elsewhere."""
    networks = {node.network for node in cluster.nodes}
    return (networks.pop() or "") if len(networks) == 1 else ""


def _ip(link: Link) -> str:
    return link.address.rpartition(":")[0].strip("[]")
