"""Checks: what could make `up` or vLLM fail, found beforehand. Facts in, findings out; `plan` and `cli` read them.

`quick` needs nothing but the facts that every command begins with; `up` heeds it too, and says the same words.
`thorough` adds what `raycluster check` alone asks for: a second inspection, a container from the image on each host,
and connections between the hosts. `check_network` judges what came of an all-reduce across them.
"""

from collections.abc import Iterable, Mapping

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan.checks.across_hosts import (
    check_built_images,
    check_differences,
    check_duplicates,
    check_versions,
    inventory_hosts,
)
from orchestrator.plan.checks.container import check_container
from orchestrator.plan.checks.docker_engine import (
    check_engine,
    check_gpus,
    check_place,
    check_restarter,
    is_fit,
)
from orchestrator.plan.checks.entrypoint import check_environment, check_kept
from orchestrator.plan.checks.finding import Evidence, Finding, Findings, Level, failure, ok, release, warning
from orchestrator.plan.checks.firewall import check_connections
from orchestrator.plan.checks.hardware import check_hardware
from orchestrator.plan.checks.host import (
    check_hostname,
    check_reachable,
    check_settings,
    check_startable,
    contact_topic,
)
from orchestrator.plan.checks.model import check_model
from orchestrator.plan.checks.network_test import check_network, not_measurable
from orchestrator.plan.facts.address import addresses
from orchestrator.plan.facts.host import Facts, HostFacts
from orchestrator.plan.facts.inspection import Inspection
from orchestrator.plan.facts.probe import Trial
from orchestrator.plan.problem import Problem
from orchestrator.plan.typed import ours

KEEP_KEYS = "name a file that can be written in ~/.ssh/config: UserKnownHostsFile FILE"
CLOCK_SECONDS = 5.0
"""Apart by more, logs cannot be read together, and tokens and certificates come and go at odd times."""


def quick(cluster: Cluster, facts: Facts) -> tuple[Finding, ...]:
    """Findings in the facts that every command begins with."""
    found: list[Finding] = []
    for node in cluster.nodes:
        here = facts[node.name]
        unreachable = tuple(check_reachable(node, here))
        found += unreachable
        if isinstance(here, HostFacts) and not unreachable:
            found += check_engine(node, here, here.engine)
            if is_fit(node, here, here.engine):
                found += check_startable(cluster, node, here)
                found += (*check_kept(node, here), *check_gpus(node, here.engine))
            found += check_settings(node, here)
    return (*found, *check_duplicates(cluster, facts), *check_differences(cluster, facts))


def obstacles(findings: Iterable[Finding]) -> Mapping[str, Finding]:
    """By host, the first of these that keeps a new container there from being of use."""
    failures = (finding for finding in findings if finding.level is Level.FAILURE)
    return {finding.host: finding for finding in reversed(tuple(failures))}


def thorough(cluster: Cluster, facts: Facts, evidence: Evidence) -> tuple[Finding, ...]:
    """Findings in everything that is learned without --deep."""
    found = (
        *(ok(host, "ssh", how) for host, how in evidence.logins.items() if how),
        *(warning(host, "ssh", why, KEEP_KEYS) for host, why in evidence.login_warnings.items() if why),
        *quick(cluster, facts),
        *check_built_images(cluster, facts),
        *_by_evidence(cluster, facts, evidence),
        *_missing_data(cluster, evidence),
    )
    return in_order(cluster, found)


def check_secrets(cluster: Cluster, wrong: Iterable[str]) -> Findings:
    """What `up` would end with before it asks any host: the head starts first, and has them, too."""
    for text in wrong:
        yield failure(cluster.head.name, "secrets", text)


def in_order(cluster: Cluster, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By the inventory's hosts, and of each as they come."""
    order = {node.name: index for index, node in enumerate(cluster.nodes)}
    return tuple(sorted(findings, key=lambda finding: order[finding.host]))


def _missing_data(cluster: Cluster, evidence: Evidence) -> Findings:
    """What nobody could learn is no good news."""
    topics = {node.name: contact_topic(node) for node in cluster.nodes}
    for gap in evidence.gaps:
        fix = gap.problem.fix or f"{ours('check', '-v')} again, once the host is at rest"
        yield failure(gap.host, topics[gap.host], gap.problem.text, fix, gap.problem.detail)


def _by_evidence(cluster: Cluster, facts: Facts, evidence: Evidence) -> Findings:
    hosts, elsewhere = inventory_hosts(cluster, facts), set[str]()
    for node in (node for node in cluster.nodes if node.name in hosts):
        here, trial = hosts[node.name], evidence.trials.get(node.name)
        if here.machine:
            yield from check_hostname(node, here.machine)
        if inspection := evidence.inspections.get(node.name):
            of_docker = tuple(_docker(cluster, node, here, inspection, trial))
            yield from of_docker
            if any(each.topic == "docker" and each.level is Level.FAILURE for each in of_docker):
                elsewhere.add(node.name)
        if trial:
            yield from check_container(cluster, node, here, trial)
        if node is cluster.head and isinstance(trial, Trial):  # the others have the same image
            yield from check_environment(node, here, trial, evidence.prepared)
    if cluster.engine.has_ray:
        yield from check_versions(evidence.trials)
    # What a container tries from elsewhere says nothing of the hosts' network.
    links = (each for each in evidence.links if not {each.source, each.target} & elsewhere)
    rays = [release(each.ray) for each in evidence.trials.values() if isinstance(each, Trial) and each.ray]
    yield from check_connections(cluster, addresses(cluster, facts), tuple(links), min(rays, default=()))
    yield from _clocks(evidence)


def _docker(
    cluster: Cluster, node: Node, here: HostFacts, found: Inspection, trial: Trial | Problem | None
) -> Findings:
    """What is there of no use to an engine that is not fit, which has its own containers and images."""
    engine = here.engine or found.engine
    if not here.engine:  # where a container of ours runs
        yield from check_engine(node, here, engine)
    if is_fit(node, here, engine):
        yield from check_restarter(node, engine, found.restarter)
        if isinstance(trial, Trial):
            yield from check_place(node, found, trial, engine)
        yield from check_hardware(cluster, node, here, found, trial)


def _clocks(evidence: Evidence) -> Findings:
    """Told of the host that is off from the first one by more than it can be excused for."""
    if not evidence.clocks:
        return
    first, (least, most) = next(iter(evidence.clocks.items()))
    for host, (low, high) in evidence.clocks.items():
        apart = low - most if low > most else high - least if high < least else 0.0
        if abs(apart) > CLOCK_SECONDS:
            text = f"its clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} {first}'s"
            yield warning(host, "clock", text, "sudo timedatectl set-ntp true")
