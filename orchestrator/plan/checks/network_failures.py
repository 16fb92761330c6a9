"""Why an all-reduce came to nothing: a host of its own accord, one that others lost, or one that is late."""

import re
from collections.abc import Mapping

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan.checks.finding import Findings, failure, quoting
from orchestrator.plan.checks.firewall import admitting
from orchestrator.plan.facts.address import addresses, places
from orchestrator.plan.facts.host import Facts
from orchestrator.plan.facts.network_test import Rank, Stage, Trouble

TOPIC = "all-reduce"
DOING = {
    "join": "finding the others",
    "reach": "trying connections",
    "connect": "joining torch.distributed",
    "all-reduce": "the all-reduce",
}
LATE = {
    Stage.STARTING: "its torch was not imported in time",
    Stage.READY: "its rank found no way to the head's",
    Stage.JOINED: "its rank waited in vain for the others",
    Stage.REACHED: "its all-reduce did not end in time",
    Stage.REDUCED: "its pairs were not measured in time",
}
NO_TORCH = "vLLM cannot run in it either: use an image with vLLM, such as vllm/vllm-openai"
ENDED = "out of memory, or stopped by somebody? `docker events` and `dmesg` there may tell"
LOST = "a cable, a switch, or the host itself: look there, then check again"
AT_REST = "`raycluster check --deep` again, once the hosts are at rest"
MEMORY = "something else holds the memory of its first GPU: check before a model is served"


def unmeasured(cluster: Cluster, facts: Facts, ranks: Mapping[str, Rank]) -> Findings:
    """Those that failed by themselves, else those that others lost, else what each of them says of it."""
    alone = (*_without_torch(ranks), *_ended(ranks), *_closed(cluster, facts, ranks))
    yield from alone or tuple(_lost(ranks)) or tuple(_troubled(cluster, facts, ranks)) or _late(ranks)


def _without_torch(ranks: Mapping[str, Rank]) -> Findings:
    for host, rank in ranks.items():
        if rank.no_torch:
            yield failure(host, "torch", f"the image's torch cannot be used: {rank.no_torch}", NO_TORCH)


def _ended(ranks: Mapping[str, Rank]) -> Findings:
    for host, rank in ranks.items():
        if rank.ended and not rank.no_torch:
            yield quoting(host, TOPIC, "its rank ended before the others: ", rank.ended, ENDED)


def _closed(cluster: Cluster, facts: Facts, ranks: Mapping[str, Rank]) -> Findings:
    rule = admitting(cluster, addresses(cluster, facts))
    for target, sources in _by_target({host: rank.closed for host, rank in ranks.items()}).items():
        told = (
            f"{_who(sources)} not reach it at a free port, as NCCL and gloo take one: a firewall, or no route"
        )
        yield failure(target, "network", told, rule)


def _lost(ranks: Mapping[str, Rank]) -> Findings:
    """Told of whom most have lost, where there is one: it may itself have lost all others."""
    troubles = {host: rank.trouble for host, rank in ranks.items() if rank.trouble}
    lost = _by_target({host: trouble.lost for host, trouble in troubles.items()})
    most = {target: sources for target, sources in lost.items() if 2 * len(sources) > len(ranks) - 1}
    for target, sources in (most or lost).items():
        told = f"was lost during {_doing(troubles[sources[0]])}: {_who(sources)} not reach it any more"
        yield failure(target, TOPIC, told, LOST)


def _troubled(cluster: Cluster, facts: Facts, ranks: Mapping[str, Rank]) -> Findings:
    where = places(cluster, facts)
    strays = [told for node in cluster.nodes if (told := _stray(node, where[node.name].interface))]
    for host, rank in ranks.items():
        if trouble := rank.trouble:
            fix = MEMORY if "out of memory" in trouble.why else "; ".join(strays) or AT_REST
            detail = "\n".join(trouble.log)
            yield quoting(host, TOPIC, f"{_doing(trouble)} failed: ", _words(trouble.why), fix, detail)


def _words(why: str) -> str:
    """Torch's words without the places in its source, which fill a screen."""
    return re.sub(r"\[[^\]]*\.(cc|cpp|h):\d+\] ", "", why)


def _late(ranks: Mapping[str, Rank]) -> Findings:
    last = min(rank.stage for rank in ranks.values())
    for host, rank in ranks.items():
        if rank.stage is last and last is not Stage.DONE:
            yield failure(host, TOPIC, LATE[last], AT_REST)


def _stray(node: Node, interface: str) -> str:
    """Whether the inventory sends the data over another interface than that of `ip`."""
    for name, value in node.env:
        wanted = value.lstrip("=").split(",")
        if name not in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME") or value.startswith("^"):
            continue
        if not any(interface.startswith(each) for each in wanted):
            return f"{name} is {value} on {node.name}, whose `ip` is on {interface}: take it out of `env`"
    return ""


def _by_target(told: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """By each host that others name, who those are."""
    targets = dict.fromkeys(target for each in told.values() for target in each)
    return {target: [source for source, each in told.items() if target in each] for target in targets}


def _who(hosts: list[str]) -> str:
    return f"{', '.join(hosts)} {'does' if len(hosts) == 1 else 'do'}"


def _doing(trouble: Trouble) -> str:
    return DOING.get(trouble.during, f"measuring with {trouble.partner}")
