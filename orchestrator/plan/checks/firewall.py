"""Connections between the hosts at the engine's ports, and the firewall's rule for them."""

from collections.abc import Collection, Iterable, Mapping

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import engine
from orchestrator.plan.checks.finding import Finding, Findings, failure, ok
from orchestrator.plan.facts.probe import Link, Outcome
from orchestrator.plan.ray import ports
from orchestrator.plan.typed import ours, there

REFUSALS = {Outcome.REFUSED: "refused", Outcome.SILENT: "dropped", Outcome.UNREACHABLE: "rejected"}


def check_connections(
    cluster: Cluster, ips: Mapping[str, str], links: tuple[Link, ...], ray: tuple[int, ...] = ()
) -> Findings:
    """What came of the connections, told of the host that should have been reached.

    `ray`: the oldest version in the hosts' images, as far as is known.
    """
    rule = firewall_rule(cluster, ips, ray)
    closed = {(link.source, link.target): link for link in links if link.outcome is not Outcome.OPEN}
    yield from (_closed(link, there(rule)) for link in closed.values())
    for target in dict.fromkeys(link.target for link in links):
        sources = dict.fromkeys(link.source for link in links if link.target == target)
        reaching = [source for source in sources if (source, target) not in closed]
        if reaching == [cluster.head.name]:
            yield ok(target, "network", "the head reaches it")
        elif reaching:
            workers = "1 worker reaches" if len(reaching) == 1 else f"{len(reaching)} workers reach"
            yield ok(target, "network", f"{workers} it")
    if links:
        text = f"{engine.of(cluster).port_owner} ports between the hosts: {_ports(cluster, ray)}"
        yield ok(cluster.head.name, "network", text, f"on each host whose firewall is closed: {rule}")


def _closed(link: Link, rule: str) -> Finding:
    text, ip = (
        f"{link.source} does not reach it at {link.address}",
        link.address.rpartition(":")[0].strip("[]"),
    )
    if link.alive:
        why = f"a firewall, for the host answers, but this port is {REFUSALS[link.outcome]}"
        return failure(link.target, "network", f"{text}: {why}", rule)
    why = "nor does the host answer at all: no route, a cable, or a firewall that drops everything"
    fix = ours("exec", "-l", link.source, "--on-host", "--", "ip", "route", "get", ip)
    return failure(link.target, "network", f"{text}, {why}", fix)


def firewall_rule(cluster: Cluster, ips: Mapping[str, str], ray: tuple[int, ...] = ()) -> str:
    """The line that lets the hosts in at the engine's ports, for the host on which it is run."""
    return accept_rule(cluster.nodes, ips.values(), f" -m multiport --dports {_ports(cluster, ray)}")


def accept_rule(nodes: Iterable[Node], ips: Collection[str], where: str = "") -> str:
    """The same at other ports, or at all. Hosts with an `ip` of their own may be in another network."""
    tool = "ip6tables" if any(":" in ip for ip in ips) else "iptables"
    networks = {node.network for node in nodes}
    peers = (networks.pop() if len(networks) == 1 else "") or ",".join(ips)
    return f"sudo {tool} -I INPUT -p tcp -s {peers}{where} -j ACCEPT"


def _ports(cluster: Cluster, ray: tuple[int, ...]) -> str:
    return ports.format_ports(engine.of(cluster).open_between_hosts(cluster, ray), ":")
