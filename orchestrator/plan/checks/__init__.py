"""What could make `up` or vLLM fail, found beforehand: facts in, findings out.

`quick` needs nothing but the one look that every command begins with; `up` heeds it too, and says the same
words. `thorough` adds what `raycluster check` alone asks for: a second look, a container from the image on
each host, and connections between the hosts. `measured` tells what came of an all-reduce across them.
"""

from collections.abc import Iterable, Mapping
from itertools import chain

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import engine
from orchestrator.plan.checks.across_hosts import clashes, differences, outdated_images, seen
from orchestrator.plan.checks.container import tried, versions
from orchestrator.plan.checks.finding import (
    Evidence,
    Finding,
    Findings,
    Level,
    MissingData,
    ok,
    quoting,
    warning,
)
from orchestrator.plan.checks.firewall import linked
from orchestrator.plan.checks.hardware import inspected
from orchestrator.plan.checks.host import notable, own_name, reached, startable, way
from orchestrator.plan.checks.network_test import hindered, measured
from orchestrator.plan.facts.address import addresses
from orchestrator.plan.facts.host import Facts, HostFacts, Unreachable

CLOCK_SECONDS = 5.0
"""Apart by more, logs cannot be read together, and tokens and certificates come and go at odd times."""


def quick(cluster: Cluster, facts: Facts) -> tuple[Finding, ...]:
    """Everything that one look at each host tells."""
    each = (_of_host(cluster, node, facts[node.name]) for node in cluster.nodes)
    return tuple(chain(*each, clashes(cluster, facts), differences(cluster, facts)))


def _of_host(cluster: Cluster, node: Node, facts: HostFacts | Unreachable) -> Findings:
    closed = tuple(reached(node, facts))
    yield from closed
    if isinstance(facts, HostFacts) and not closed:
        yield from startable(cluster, node, facts)
        yield from notable(node, facts)


def obstacles(cluster: Cluster, facts: Facts) -> Mapping[str, Finding]:
    """By host, the first thing that keeps a new container there from being of use."""
    found = chain(
        *(_starts(cluster, node, facts[node.name]) for node in cluster.nodes), clashes(cluster, facts)
    )
    failures = [finding for finding in found if finding.level is Level.FAILURE]
    return {finding.host: finding for finding in reversed(failures)}


def _starts(cluster: Cluster, node: Node, facts: HostFacts | Unreachable) -> Findings:
    return startable(cluster, node, facts) if isinstance(facts, HostFacts) else iter(())


def thorough(cluster: Cluster, facts: Facts, evidence: Evidence) -> tuple[Finding, ...]:
    """Everything that can be told without --deep."""
    found = (
        *_logins(evidence),
        *quick(cluster, facts),
        *outdated_images(cluster, facts),
        *_by_evidence(cluster, facts, evidence),
        *_gaps(cluster, evidence),
    )
    return in_order(cluster, found)


def in_order(cluster: Cluster, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By the inventory's hosts, and of each as they come."""
    order = {node.name: index for index, node in enumerate(cluster.nodes)}
    return tuple(sorted(findings, key=lambda finding: order[finding.host]))


def _logins(evidence: Evidence) -> Findings:
    return (ok(host, "ssh", told) for host, told in evidence.logins.items() if told)


def _gaps(cluster: Cluster, evidence: Evidence) -> Findings:
    """What nobody could learn is no good news."""
    ways = {node.name: way(node) for node in cluster.nodes}
    for gap in evidence.gaps:
        fix = gap.fix or "`raycluster check -v` again, once the host is at rest"
        yield quoting(gap.host, ways[gap.host], f"{gap.what} failed: ", gap.why, fix)


def _by_evidence(cluster: Cluster, facts: Facts, evidence: Evidence) -> Findings:
    hosts = seen(cluster, facts)
    for node in (node for node in cluster.nodes if node.name in hosts):
        here, trial = hosts[node.name], evidence.trials.get(node.name)
        if here.machine:
            yield from own_name(node, here.machine)
        if inspection := evidence.inspections.get(node.name):
            yield from inspected(cluster, node, here, inspection, trial)
        if trial:
            yield from tried(cluster, node, here, trial)
    if engine.of(cluster).has_ray:
        yield from versions(evidence.trials)
    yield from linked(cluster, addresses(cluster, facts), evidence.links)
    yield from _clocks(evidence)


def _clocks(evidence: Evidence) -> Findings:
    """Told of the host that is off from the first one by more than it can be excused for."""
    if not evidence.clocks:
        return
    first, (least, most) = next(iter(evidence.clocks.items()))
    for host, (low, high) in evidence.clocks.items():
        apart = low - most if low > most else high - least if high < least else 0.0
        if abs(apart) > CLOCK_SECONDS:
            told = f"its clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} {first}'s"
            yield warning(host, "clock", told, "sudo timedatectl set-ntp true")
