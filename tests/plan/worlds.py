"""Clusters and hosts for the tests of planning: small, and changed one field at a time with `replace`."""

import re
from dataclasses import replace

from orchestrator.model.accelerators import KINDS
from orchestrator.model.cluster import Accelerator, Cluster, Node, Rdma, Role
from orchestrator.model.secret import Secret
from orchestrator.plan import docker
from orchestrator.plan.actions.up import Secrets
from orchestrator.plan.command import Command, Script
from orchestrator.plan.facts.address import NodeAddress, node_address
from orchestrator.plan.facts.host import Address, Container, Facts, HostFacts, RayNode, RayTable
from orchestrator.plan.steps import Plan

NOW = 1_000_000.0
SEALED = Secrets((), Secret("ray-token", "generated"))


def node(number: int, **changes: object) -> Node:
    made = Node(
        name=f"gpu{number}",
        host=f"gpu{number}.example.com",
        role=Role.HEAD if number == 1 else Role.WORKER,
        ip=f"10.0.0.{number}",
        accelerator=Accelerator.NONE,
        num_gpus=8,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def cluster(workers: int = 2, **changes: object) -> Cluster:
    nodes = tuple(node(number) for number in range(2, workers + 2))
    return replace(Cluster("demo", "vllm/vllm-openai:v0.17.1", node(1), nodes), **changes)  # type: ignore[arg-type]


def bare_host(of: Node, **changes: object) -> HostFacts:
    """A host in good order on which the cluster has never been."""
    made = HostFacts(
        now=NOW,
        home="/home/ana",
        addresses=(Address("eth0", of.ip or "10.0.0.9"),),
        infiniband=of.rdma is Rdma.ON,
        gpus=None,
        docker=(),
        image_id="sha256:one",
        processes=frozenset(),
        token=None,
        ray=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def bare(of: Cluster) -> Facts:
    return {each.name: bare_host(each) for each in of.nodes}


def container(of: Cluster, for_: Node, **changes: object) -> Container:
    """The container that `up` would start there, running for a minute."""
    place = node_address(for_, bare_host(for_))
    assert isinstance(place, NodeAddress)
    spec = docker.container_spec(of, for_, place, of.head.ip or "", ())
    made = Container(
        id=f"id-of-{for_.name}",
        name=of.container(for_),
        cluster=of.name,
        role=for_.role,
        spec=spec.hash,
        status="running",
        running=True,
        exit_code=0,
        oom_killed=False,
        error="",
        started=NOW - 60,
        finished=0.0,
        restarts=0,
        image=of.image,
        image_id="sha256:one",
        command=f"-c {spec.command}",
        env=spec.env,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def ray_node(of: Node, **changes: object) -> RayNode:
    made = RayNode(
        *(of.ip or "", True, of.role is Role.HEAD, ((KINDS[of.accelerator].resource, 8),)), started=NOW - 55
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def standing(of: Cluster) -> Facts:
    """The hosts after a good `up`."""
    table = RayTable("2.60.0", tuple(ray_node(each) for each in of.nodes))
    return {
        each.name: bare_host(
            each,
            docker=(container(of, each),),
            processes=frozenset({"ray", "raylet"}),
            token=Secret("ray-token", "the head's"),
            ray=table if each is of.head else None,
        )
        for each in of.nodes
    }


def seen(facts: Facts, host: str) -> HostFacts:
    here = facts[host]
    assert isinstance(here, HostFacts)
    return here


def with_host(facts: Facts, host: str, **changes: object) -> Facts:
    changed: HostFacts = replace(seen(facts, host), **changes)  # type: ignore[arg-type]
    return facts | {host: changed}


def with_container(facts: Facts, host: str, **changes: object) -> Facts:
    here = seen(facts, host)
    assert isinstance(here.docker, tuple)
    return with_host(facts, host, docker=(replace(here.docker[0], **changes),))  # type: ignore[arg-type]


def with_table(facts: Facts, *nodes: RayNode) -> Facts:
    return with_host(facts, "gpu1", ray=RayTable("2.60.0", nodes))


def arguments(command: Command) -> dict[str, str]:
    """What a script is given, by the names that it gives to its `$1`, `$2` …"""
    at, script = next((i, word) for i, word in enumerate(command.argv) if isinstance(word, Script))
    named = re.findall(r"(\w+)=\$\{?(\d+)\b", script)
    return {name: command.argv[at + 1 + int(number)] for name, number in named}


def outline(plan: Plan) -> list[tuple[str, list[str]]]:
    """A plan's phases, and in each what is done on which host."""
    return [(phase.title, [f"{step.host}: {step.title}" for step in phase.steps]) for phase in plan.phases]
