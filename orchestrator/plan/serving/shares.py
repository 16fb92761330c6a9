"""Shares of the cluster for a model's server: which hosts, GPUs and ports, beside those that others hold.

Both engines ask here; what is refused names who has it, and a line that would work.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Model, Node
from orchestrator.model.select import select
from orchestrator.plan import devices
from orchestrator.plan.facts.host import Facts, HostFacts, Unreachable
from orchestrator.plan.problem import Problem, plural
from orchestrator.plan.serving.arguments import PORT, Given, without
from orchestrator.plan.serving.parallelism import KINDS
from orchestrator.plan.serving.servers import Ledger, again, first_free_port, listeners, with_args
from orchestrator.plan.serving.spec import DEFAULT_PORT
from orchestrator.plan.typed import ours


@dataclass(frozen=True, slots=True)
class Free:
    """The GPUs that are free for a server, by host, in the inventory's order. `device`: one of them, for people.

    `elsewhere`: hosts with free ones, on which it may not be.
    """

    gpus: Mapping[str, int]
    held: Ledger
    device: str = "GPU"
    elsewhere: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(self.gpus.values())

    def refused(self, model: Model, works: int) -> Problem:
        """That these are too few, or that none is left; with who has the others. `works`: how many it could have."""
        who, wanted = self.held.who(self.gpus), model.gpus
        has = f": {who}" if who else ""
        where = "" if len(self.gpus) > 1 else f" on {next(iter(self.gpus), 'any host')}"
        if works:
            text = f"{plural(wanted, self.device)} are asked for{where}, and {_are(self.total)} free{has}"
            return Problem(text, again(replace(model, gpus=works)))
        return Problem(f"no {self.device} is free{where}{has}", self._room(model))

    def _room(self, model: Model) -> str:
        """What makes room where there is none."""
        if self.elsewhere:
            return again(replace(model, hosts=self.elsewhere[0], gpus=0))
        for name in self.held.holders(self.gpus):
            half, stop = self.held.total(name) // 2, ours("serve stop", name)
            smaller = f", and {again(replace(self.held.models[name], gpus=half))} leaves some" if half else ""
            return f"{stop} ends that one{smaller}"
        return ""


def _are(count: int) -> str:
    return "1 is" if count == 1 else f"{count} are"


def chosen_hosts(cluster: Cluster, model: Model) -> tuple[Node, ...]:
    """The hosts that it may be on."""
    found = select(cluster, model.hosts) if model.hosts else cluster.nodes
    return found if isinstance(found, tuple) else ()


def free_devices(node: Node, here: HostFacts | Unreachable, count: int, held: Ledger) -> tuple[str, ...]:
    """What those of a host's GPUs are called that no other has."""
    return tuple(each for each in _devices(node, here, count) if each not in held.devices.get(node.name, ()))


def hiding(
    node: Node, here: HostFacts | Unreachable, count: int | None, chosen: tuple[str, ...]
) -> dict[str, str]:
    """The variable that hides the others of its host's GPUs, where there are others."""
    variable = devices.kind(node).visible
    if not variable or not chosen or count is None or chosen == _devices(node, here, count):
        return {}
    return {variable: ",".join(chosen)}


def _devices(node: Node, here: HostFacts | Unreachable, count: int) -> tuple[str, ...]:
    return devices.names(node, here, count) if isinstance(here, HostFacts) else tuple(map(str, range(count)))


def without_sizes(model: Model) -> str:
    """The line that leaves the sizes to us."""
    return with_args(model, without(model.args, *KINDS))


def api_port(model: Model, given: Given, held: Ledger, facts: Facts, host: str, own: int) -> int | Problem:
    """The port of the server's API: the person's, or the first one from 8000 that nobody has.

    `host`: where it is to listen; `own`: the one that the server of that name has had, 0 for none.
    """
    asked = given.number(PORT) or model.port
    if given.number(PORT) and model.port and given.number(PORT) != model.port:
        text = f"--port {model.port}, and {PORT.name} {given.value(PORT)} among vLLM's arguments"
        return Problem(text, with_args(model, without(model.args, PORT)))
    if PORT in given and not asked:
        return DEFAULT_PORT  # vLLM refuses what is no port
    taken = {*held.ports, *(listeners(facts, host) - {own})}
    free = first_free_port(DEFAULT_PORT, taken)
    if asked in held.ports:
        text = f"port {asked} is {held.ports[asked]}'s"
        if given.number(PORT):
            return Problem(text, with_args(model, without(model.args, PORT), PORT.name, str(free)))
        return Problem(text, again(replace(model, port=free)))
    return asked or (own if own and own not in held.ports else free)


def ports_from(first: Iterable[int], offsets: tuple[int, ...], taken: Iterable[int]) -> tuple[int, ...]:
    """The first block of ports that nobody has: at one of the places, as far from it as told."""
    held = set(taken)
    blocks = (tuple(at + offset for offset in offsets) for at in first)
    return next(block for block in blocks if not held & set(block))
