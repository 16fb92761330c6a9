"""Benchmark of a served model, run in the container of a host."""

import math
from threading import Event

from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import docker
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving.bench import Measured, parse_measured
from orchestrator.remote.execute.events import Tell
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe.hosts import ask_all, unreachable
from orchestrator.remote.transport import Failure


def benchmark(
    cluster: Cluster, node: Node, words: tuple[str, ...], fleet: Fleet, tell: Tell, cancel: Event
) -> Measured | Problem:
    """What it has measured there; it has no limit of its own, and ends with Ctrl-C."""

    def ask(node: Node) -> Measured | Unreachable | Problem:
        said = list[str]()
        with fleet.at_work():
            command = docker.benchmark(cluster, node, words)
            got = fleet[node.name].stream(command, said.append, timeout=math.inf, cancel=cancel)
        return unreachable(got) if isinstance(got, Failure) else parse_measured("\n".join(said), got.stderr)

    return ask_all((node,), ask, tell, "Benchmark", "measuring", lambda *_: "measured")[node.name]
