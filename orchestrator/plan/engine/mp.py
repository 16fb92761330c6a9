"""vLLM's own multi-node mode: containers that know nothing of each other, and in each a rank of what is served.

`vllm serve --nnodes N --node-rank R --master-addr HEAD`, with `--headless` on all but the head:
https://docs.vllm.ai/en/latest/serving/parallelism_scaling.html
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from orchestrator import payload
from orchestrator.model.cluster import Accelerator, Auth, Cluster, Model, Node, Role
from orchestrator.plan import devices
from orchestrator.plan.actions.conditions import Runs
from orchestrator.plan.engine.ray import Member, Roster
from orchestrator.plan.facts.containers import ip_of, running_container
from orchestrator.plan.facts.host import Container, Facts, HostFacts, Unreachable
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.ray.ports import EPHEMERAL, free_port
from orchestrator.plan.serving import arguments, parallelism
from orchestrator.plan.serving.arguments import BACKEND, DATA_BACKEND, Given
from orchestrator.plan.serving.data_parallel import uneven
from orchestrator.plan.serving.parallelism import Parallelism
from orchestrator.plan.serving.refusals import refusal
from orchestrator.plan.serving.spec import Part, RankGroup, Serving
from orchestrator.plan.typed import change, host_command, where

MASTER_PORT = 29501
"""VLLM's default for where its ranks meet. 29500 is its data-parallel master's."""

SUPERVISORS_BELOW = 2
"""The supervisors meet this much below the ranks."""


class MpEngine:
    """Membership is that a container runs. Where its ranks are, only the supervisors know."""

    hidden_columns = frozenset({"ray", "joined"})
    port_owner = "vLLM's"
    waits = "wait until it runs"

    def normalized(self, cluster: Cluster) -> Cluster:
        return replace(cluster, ray=replace(cluster.ray, install=None, auth=Auth.DISABLED))

    def start(self, cluster: Cluster, node: Node, ip: str, head_ip: str) -> str:
        """Bash as the first process takes the orphans, and ends at once when it is told to."""
        return f"{payload.RESUME} trap 'exit 0' TERM; sleep infinity & wait"

    def variables(self, cluster: Cluster, node: Node) -> Mapping[str, str]:
        return {}

    def mounts(self, cluster: Cluster, node: Node, home: str) -> tuple[str, ...]:
        return ()

    def authentication(self, cluster: Cluster) -> Mapping[str, str]:
        return {}

    def required_ports(self, cluster: Cluster, node: Node) -> dict[int, str]:
        master = _master_port(cluster.serve)
        ours = {master - SUPERVISORS_BELOW: "the supervisors of vLLM's ranks", master: "vLLM's ranks"}
        return ours if node.role is Role.HEAD and cluster.workers else {}

    def open_between_hosts(self, cluster: Cluster, _: tuple[int, ...] = ()) -> tuple[range, ...]:
        """Gloo, NCCL and vLLM's message queues take free ports."""
        master = _master_port(cluster.serve)
        return (range(master - SUPERVISORS_BELOW, master + 1), EPHEMERAL)

    def probe_ports(self, cluster: Cluster, node: Node, held: frozenset[int]) -> tuple[int, ...]:
        return (*self.required_ports(cluster, node), free_port(EPHEMERAL, held))

    def supervisors(self, cluster: Cluster) -> tuple[Node, ...]:
        return cluster.nodes

    def reason_to_replace(
        self, cluster: Cluster, node: Node, here: HostFacts, container: Container, table: object
    ) -> str | Problem:
        few = _few(node, here)
        return (
            Problem(few, f"look at its driver: {host_command('nvidia-smi')}; or set {where('ray.num_gpus')}")
            if few
            else ""
        )

    def joined(self, node: Node, here: HostFacts, restarts: int) -> Runs:
        return Runs(_few(node, here), restarts)

    def member(self, node: Node, here: HostFacts, container: Container, table: object) -> Member:
        few = _few(node, here) if container.running else ""
        sound = container.running and not few
        return Member(sound, None, sound, _seen_gpus(node, here) if container.running else None, few)

    def summary_prefix(self, version: str | None) -> str:
        return "containers run on"

    def roster(self, cluster: Cluster, facts: Facts, watched: str, started: frozenset[str]) -> Roster:
        hosts = [
            (node, facts[node.name])
            for node in cluster.nodes
            if node.name in started or running_container(cluster, node, facts[node.name])
        ]
        seen = {node.name: _seen_gpus(node, here) for node, here in hosts if isinstance(here, HostFacts)}
        return Roster(self.summary_prefix(None), seen)

    def serving(self, cluster: Cluster, facts: Facts, model: Model) -> Serving | tuple[HostProblem, ...]:
        ip, given = ip_of(cluster.head, facts[cluster.head.name]) or "", arguments.read(model.args)
        counts = {node.name: _count(node, facts[node.name]) for node in cluster.nodes}
        unknown = [
            name for name, each in counts.items() if each is None and isinstance(facts[name], HostFacts)
        ]
        if why := refusal(given, ip) or _refusal(cluster, given):
            return (HostProblem(cluster.head.name, why),)
        device = devices.kind(cluster.head).device
        if unknown and not parallelism.sizes_given(given):
            return tuple(
                HostProblem(name, Problem(f"how many {device}s it has is not known", TELL_GPUS))
                for name in unknown
            )
        least = min(count or 1 for count in counts.values())
        gpus = dict.fromkeys(counts, least)
        if few := parallelism.too_many(gpus, given, "with as many on each host there are"):
            return (HostProblem(cluster.head.name, Problem(few, parallelism.FEWER)),)
        chosen = parallelism.choose(gpus, given)
        nodes = _taking_part(cluster, chosen, least)
        if why := uneven(given, chosen, len(nodes)):
            return (HostProblem(cluster.head.name, why),)
        return Serving(model, ip, tuple(_parts(nodes, ip, model, chosen.args)), chosen.why)


TELL_GPUS = (
    f"set {where('ray.num_gpus')}, or give vLLM its --tensor-parallel-size and --pipeline-parallel-size"
)


def _parts(nodes: tuple[Node, ...], ip: str, model: Model, chosen: tuple[str, ...]) -> Iterator[Part]:
    """Of a model on one host vLLM needs to be told nothing."""
    if len(nodes) == 1:
        yield Part(nodes[0], chosen)
        return
    backend = () if BACKEND in arguments.read(model.args) else (BACKEND.name, "mp")
    shared = (*backend, "--nnodes", str(len(nodes)), "--master-addr", ip, *chosen)
    names = tuple(node.name for node in nodes)
    run = hashlib.sha256(repr((model, shared, names)).encode()).hexdigest()[:12]
    meet = (ip, _master_port(model) - SUPERVISORS_BELOW)
    for rank, node in enumerate(nodes):
        words = (*shared, "--node-rank", str(rank), *(("--headless",) if rank else ()))
        yield Part(node, words, group=RankGroup(rank, names, meet, run))


def _refusal(cluster: Cluster, given: Given) -> Problem | None:
    """What contradicts the engine, where there are several hosts."""
    if not cluster.workers:
        return None
    for option in (BACKEND, DATA_BACKEND):
        if given.value(option) == "ray":
            return Problem(
                f"{option.name} ray: this cluster has no Ray", f"leave it out, or {change('engine', 'ray')}"
            )
    return None


def _taking_part(cluster: Cluster, chosen: Parallelism, least: int) -> tuple[Node, ...]:
    """The fewest hosts that have GPUs for all ranks, as many on each; all of them where nothing fits."""
    world, within = chosen.ranks, chosen.within_data

    def fits(hosts: int) -> bool:
        each, left = divmod(world, hosts)
        return not left and each <= least and (each % within == 0 or within % each == 0)

    return cluster.nodes[: next(filter(fits, range(1, len(cluster.nodes) + 1)), len(cluster.nodes))]


def _count(node: Node, here: HostFacts | Unreachable) -> int | None:
    """The GPUs that vLLM may use there, a CPU for one; None where nobody can tell."""
    if node.num_gpus or node.accelerator is Accelerator.NONE:
        return node.num_gpus or 1
    return None if isinstance(here, Unreachable) else devices.known(node, here)


def _seen_gpus(node: Node, here: HostFacts) -> int | None:
    """Only NVIDIA's driver tells of its GPUs at a look."""
    if node.accelerator is not Accelerator.NVIDIA or here.gpus is None:
        return None
    return min(here.gpus, devices.expected(node, here))


def _few(node: Node, here: HostFacts) -> str:
    seen, expected = _seen_gpus(node, here), devices.expected(node, here)
    return f"the host shows {seen} of its {expected} GPUs" if seen is not None and seen < expected else ""


def _master_port(model: Model | None) -> int:
    return (arguments.read(model.args).number(arguments.MASTER_PORT) if model else 0) or MASTER_PORT
