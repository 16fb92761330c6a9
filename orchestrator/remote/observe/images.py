"""Inspects the image that hosts have under a name, side by side."""

from threading import Event

from orchestrator.model.cluster import Node
from orchestrator.plan import docker
from orchestrator.plan.facts.host import ImageLookup, Unreachable
from orchestrator.plan.facts.image import parse_image
from orchestrator.plan.remedies import docker_problem
from orchestrator.remote.execute.events import Tell
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe.hosts import ask_all, unreachable
from orchestrator.remote.transport import Failure


def inspect_images(
    nodes: tuple[Node, ...], name: str, fleet: Fleet, tell: Tell, cancel: Event
) -> dict[str, ImageLookup]:
    """The image that each node has under a name; those that could not be asked are `Unreachable`."""

    def ask(node: Node) -> ImageLookup:
        return _inspect(node, name, fleet, cancel)

    return ask_all(nodes, ask, tell, "Look at the images", "asked what it has")


def _inspect(node: Node, name: str, fleet: Fleet, cancel: Event) -> ImageLookup:
    got = fleet[node.name].run(
        docker.inspect_image(node, name), timeout=fleet.timeouts.image_look, cancel=cancel
    )
    if isinstance(got, Failure):
        return unreachable(got)
    if got.exit_code:
        problem = docker_problem(got.exit_code, got.stderr.strip() or "Docker gives no answer")
        return Unreachable(problem.text, problem.fix, problem.detail)
    return parse_image(got.stdout)
