"""Asks hosts what image they have under a name, side by side."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from orchestrator.model.cluster import Node
from orchestrator.plan import docker, hints
from orchestrator.plan.facts import DockerTrouble, Silent
from orchestrator.plan.held import Holding, parse
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.report import HostSeen, LookBegan, Tell
from orchestrator.remote.transport import Failure

LOOK_SECONDS = 60.0
"""Longer than Docker is given there."""


def look(nodes: tuple[Node, ...], name: str, fleet: Fleet, tell: Tell, cancel: Event) -> dict[str, Holding]:
    """What each node has; those that could not be asked are `Silent`."""

    def ask(node: Node) -> tuple[str, Holding]:
        holding = _look(node, name, fleet, cancel)
        tell(HostSeen(node.name, holding.why if isinstance(holding, Silent) else ""))
        return node.name, holding

    tell(LookBegan(tuple(node.name for node in nodes), "Look at the images", "asked what it has"))
    with ThreadPoolExecutor(fleet.jobs) as pool:
        return dict(pool.map(ask, nodes))


def _look(node: Node, name: str, fleet: Fleet, cancel: Event) -> Holding:
    got = fleet[node.name].run(docker.held(node, name), timeout=LOOK_SECONDS, cancel=cancel)
    if isinstance(got, Failure):
        return Silent(got.message, got.fix, got.detail)
    if got.exit_code:
        trouble = DockerTrouble(got.exit_code, got.stderr.strip() or "Docker gives no answer")
        return Silent(trouble.text, hints.docker_fix(trouble))
    return parse(got.stdout)
