"""Asks hosts the same thing, side by side, and tells who has answered."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from orchestrator.model.cluster import Node
from orchestrator.plan.facts import Silent
from orchestrator.remote.report import HostSeen, LookBegan, Tell
from orchestrator.remote.transport import Failure

T = TypeVar("T")


def _seen(_node: Node, _told: object) -> str:
    return "seen"


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
        told = ask(node)
        tell(HostSeen(node.name, _trouble(told), shown(node, told)))
        return node.name, told

    nodes = tuple(nodes)
    tell(LookBegan(tuple(node.name for node in nodes), title, what))
    # A thread for each: the fleet bounds how many are at work, and the others only wait for their hosts.
    with ThreadPoolExecutor(max(len(nodes), 1)) as pool:
        return dict(pool.map(one, nodes))


def _trouble(told: object) -> str:
    match told:
        case Silent(why=why):
            return why
        case Failure(message=message):
            return message
    return ""
