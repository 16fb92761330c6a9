"""Inspects hosts, or the image that they have, side by side, with one command each."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Generic, TypeVar

from orchestrator.model.cluster import Cluster, Node, Role
from orchestrator.plan import docker
from orchestrator.plan.facts import parse
from orchestrator.plan.facts.containers import container_of, orphan_containers
from orchestrator.plan.facts.host import Depth, Facts, HostFacts, ImageLookup, Unreachable, answered
from orchestrator.plan.facts.image import parse_image
from orchestrator.plan.facts.layers import Stack, parse_stacks
from orchestrator.plan.host_commands import has
from orchestrator.plan.problem import Problem
from orchestrator.plan.ray import commands as ray
from orchestrator.plan.remedies import docker_problem
from orchestrator.remote.execute.events import HostSeen, LookBegan, Tell
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.transport import Failure, FailureKind

T = TypeVar("T")


def _seen(_node: Node, _answer: object) -> str:
    return "inspected"


def ask_all(
    nodes: Iterable[Node],
    ask: Callable[[Node], T],
    tell: Tell,
    title: str,
    what: str,
    shown: Callable[[Node, T], str] = _seen,
) -> dict[str, T]:
    """What each host answers, by name. `title`, `what` and how an answer is `shown`: as people see it."""

    def one(node: Node) -> tuple[str, T]:
        answer = ask(node)
        tell(HostSeen(node.name, _trouble(answer), shown(node, answer)))
        return node.name, answer

    nodes = tuple(nodes)
    tell(LookBegan(tuple(node.name for node in nodes), title, what))
    # A thread for each: the fleet bounds how many are at work, and the others only wait for their hosts.
    with ThreadPoolExecutor(max(len(nodes), 1)) as pool:
        return dict(pool.map(one, nodes))


class Ahead(Generic[T]):
    """What hosts are asked before it is known whether their answers are wanted; once they are, `ask_all` has it."""

    def __init__(self, nodes: Iterable[Node], ask: Callable[[Node], T]) -> None:
        nodes, self._ask = tuple(nodes), ask
        pool = ThreadPoolExecutor(max(len(nodes), 1))
        self._asked = {node.name: pool.submit(ask, node) for node in nodes}
        pool.shutdown(wait=False)  # an answer that nobody wants any more ends with the connection

    def __call__(self, node: Node) -> T:
        asked = self._asked.get(node.name)
        return asked.result() if asked else self._ask(node)


def _trouble(answer: object) -> str:
    match answered(answer) if isinstance(answer, HostFacts) else answer:
        case Problem(text=text):
            return text
        case Failure(message=message):
            return message
    return ""


def observe(
    cluster: Cluster,
    nodes: tuple[Node, ...],
    fleet: Fleet,
    tell: Tell,
    cancel: Event,
    *,
    depth: Depth,
) -> Facts:
    """The facts of every node's host; those that could not be asked are `Unreachable`."""

    def ask(node: Node) -> HostFacts | Unreachable:
        gcs = _gcs(cluster, node) if depth > Depth.CONTAINERS else ""
        return inspect_host(cluster, node, fleet, cancel, depth, gcs)

    def shown(node: Node, here: HostFacts | Unreachable) -> str:
        container = container_of(cluster, node, here)
        if container:
            return f"container {container.status}"
        return (
            "a container that is not in the inventory"
            if any(orphan_containers(cluster, {node.name: here}))
            else "no container"
        )

    return ask_all(nodes, ask, tell, "Look at the hosts", "inspecting", shown)


def inspect_host(
    cluster: Cluster, node: Node, fleet: Fleet, cancel: Event, depth: Depth, gcs: str = ""
) -> HostFacts | Unreachable:
    """The facts of one host; Ray is asked where there is an address of its GCS."""
    command = docker.observe(cluster, node, gcs, depth)
    got = fleet[node.name].run(command, timeout=fleet.timeouts.look, cancel=cancel)
    if isinstance(got, Failure):
        return unreachable(got)
    return parse.parse_host_facts(got.stdout, got.stderr)


def unreachable(failure: Failure) -> Unreachable:
    """Why a host could not be asked. Keys do not change by themselves, and a server may bar who comes too often."""
    lasting = failure.kind in {FailureKind.AUTH, FailureKind.HOST_KEY, FailureKind.ACCOUNT}
    return Unreachable(failure.message, failure.fix, failure.detail, lasting=lasting)


def _gcs(cluster: Cluster, node: Node) -> str:
    """Where the head's container finds its own GCS, if there is one."""
    has_one = cluster.engine.has_ray and node.role is Role.HEAD
    return ray.local_gcs(node, cluster.ray.port) if has_one else ""


def inspect_images(
    nodes: tuple[Node, ...], name: str, fleet: Fleet, tell: Tell, cancel: Event
) -> dict[str, ImageLookup]:
    """The image that each node has under a name; those that could not be asked are `Unreachable`."""

    def ask(node: Node) -> ImageLookup:
        command = docker.inspect_image(node, name)
        got = fleet[node.name].run(command, timeout=fleet.timeouts.image_look, cancel=cancel)
        if isinstance(got, Failure):
            return unreachable(got)
        if got.exit_code:
            problem = docker_problem(got.exit_code, got.stderr.strip() or "Docker does not answer")
            return Unreachable(problem.text, problem.fix, problem.detail)
        return parse_image(got.stdout)

    return ask_all(nodes, ask, tell, "Look at the images", "inspecting")


def look_for(
    program: str, nodes: tuple[Node, ...], fleet: Fleet, tell: Tell, cancel: Event
) -> frozenset[str]:
    """The hosts that have the program."""

    def ask(node: Node) -> bool:
        got = fleet[node.name].run(has(program), timeout=fleet.timeouts.image_look, cancel=cancel)
        return not isinstance(got, Failure) and got.exit_code == 0

    answers = ask_all(nodes, ask, tell, f"Look for {program}", "inspecting")
    return frozenset(host for host, there in answers.items() if there)


def inspect_layers(
    nodes: tuple[Node, ...], fleet: Fleet, tell: Tell, cancel: Event
) -> dict[str, tuple[Stack, ...]]:
    """The layers that each host has of any image, where its Docker takes one without them."""

    def ask(node: Node) -> tuple[Stack, ...]:
        got = fleet[node.name].run(
            docker.inspect_layers(node), timeout=fleet.timeouts.image_look, cancel=cancel
        )
        return () if isinstance(got, Failure) else parse_stacks(got.stdout)

    return ask_all(nodes, ask, tell, "Look at the layers", "inspecting") if nodes else {}
