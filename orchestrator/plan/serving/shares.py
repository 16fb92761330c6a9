"""Shares of the cluster for a model's server: which hosts, GPUs and ports, beside those that others hold.

Both engines ask here; what is refused names who has it, and a line that would work.
"""

from collections.abc import Iterable, Mapping

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Model, Node
from orchestrator.model.select import select
from orchestrator.plan.facts.host import Facts
from orchestrator.plan.problem import Problem, plural
from orchestrator.plan.serving.arguments import PORT, Given
from orchestrator.plan.serving.servers import Ledger, again, first_free_port, listeners
from orchestrator.plan.serving.spec import DEFAULT_PORT
from orchestrator.plan.typed import ours


@dataclass(frozen=True, slots=True)
class Free:
    """The GPUs that are free for a server, by host, in the inventory's order. `device`: one of them, for people."""

    gpus: Mapping[str, int]
    held: Ledger
    device: str = "GPU"

    @property
    def total(self) -> int:
        return sum(self.gpus.values())

    def refused(self, model: Model, works: int, wanted: int = 0) -> Problem:
        """That these are too few, or that none is left; with who has the others. `works`: how many it could have."""
        who = self.held.who(self.gpus)
        has = f": {who}" if who else ""
        where = "" if len(self.gpus) > 1 else f" on {next(iter(self.gpus), 'any host')}"
        if works:
            text = f"{plural(wanted, self.device)} are asked for{where}, and {_are(self.total)} free{has}"
            return Problem(text, again(model, gpus=works))
        holders = self.held.holders(self.gpus)
        text = f"no {self.device} is free{where}{has}"
        fix = f"{ours('serve stop', holders[0])} ends that; it may then be served beside this one, with --gpus N each"
        return Problem(text, fix if holders else "")


def _are(count: int) -> str:
    return "1 is" if count == 1 else f"{count} are"


def chosen_hosts(cluster: Cluster, model: Model) -> tuple[Node, ...]:
    """The hosts that it may be on."""
    found = select(cluster, model.hosts) if model.hosts else cluster.nodes
    return found if isinstance(found, tuple) else ()


def api_port(model: Model, given: Given, held: Ledger, facts: Facts, host: str, own: int) -> int | Problem:
    """The port of the server's API: the person's, or the first one from 8000 that nobody has.

    `host`: where it is to listen; `own`: the one that the server of that name has had, 0 for none.
    """
    asked = given.number(PORT) or model.port
    if given.number(PORT) and model.port and given.number(PORT) != model.port:
        text = f"--port {model.port}, and {PORT.name} {given.value(PORT)} among vLLM's arguments"
        return Problem(text, "give one of them")
    if PORT in given and not asked:
        return DEFAULT_PORT  # vLLM refuses what is no port
    taken = {*held.ports, *(listeners(facts, host) - {own})}
    free = first_free_port(DEFAULT_PORT, taken)
    if asked in held.ports:
        text = f"port {asked} is {held.ports[asked]}'s"
        fix = again(model, port=free) if not given.number(PORT) else f"give it another: `-- --port {free}`"
        return Problem(text, fix)
    return asked or (own if own and own not in held.ports else free)


def ports_from(first: Iterable[int], offsets: tuple[int, ...], taken: Iterable[int]) -> tuple[int, ...]:
    """The first block of ports that nobody has: at one of the places, as far from it as told."""
    held = set(taken)
    blocks = (tuple(at + offset for offset in offsets) for at in first)
    return next(block for block in blocks if not held & set(block))
