"""vLLM's own multi-node mode: containers that know nothing of each other, and in each a rank of what is served.

`vllm serve --nnodes N --node-rank R --master-addr HEAD`, with `--headless` on all but the head:
https://docs.vllm.ai/en/latest/serving/parallelism_scaling.html; and data-parallel ranks as
https://docs.vllm.ai/en/latest/serving/data_parallel_deployment/ has them, where each is on one host
"""

from collections.abc import Mapping
from dataclasses import replace

from orchestrator import payload
from orchestrator.model.cluster import Accelerator, Auth, Cluster, Model, Node
from orchestrator.plan import devices
from orchestrator.plan.actions.conditions import Runs
from orchestrator.plan.engine import mp_serving
from orchestrator.plan.engine.mp_serving import APART, MASTER, PORTS
from orchestrator.plan.engine.ray import Member, Roster
from orchestrator.plan.facts.containers import running_container
from orchestrator.plan.facts.host import Container, Facts, HostFacts
from orchestrator.plan.problem import Problem
from orchestrator.plan.ray.ports import EPHEMERAL, free_port
from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.shares import chosen_hosts
from orchestrator.plan.typed import change, host_command, where


class MpEngine:
    """Membership is that a container runs. Where its ranks are, only the supervisors know."""

    hidden_columns = frozenset({"ray", "joined"})
    port_owner = "vLLM's"
    waits = "wait until it runs"

    serving = staticmethod(mp_serving.serving)
    again = staticmethod(mp_serving.again)

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
        """Those of the inventory's models that have their first rank there, or of one that may come."""
        found: dict[int, str] = {}
        for number, model in enumerate(cluster.serve or (None,)):
            hosts = chosen_hosts(cluster, model) if model else cluster.nodes
            if hosts[:1] == (node,) and len(hosts) > 1:
                master = _master_port(model) or PORTS.start + number * APART + MASTER
                found |= {master - MASTER: "the supervisors of vLLM's ranks", master: "vLLM's ranks"}
        return found

    def open_between_hosts(self, cluster: Cluster, _: tuple[int, ...] = ()) -> tuple[range, ...]:
        """Gloo, NCCL and vLLM's message queues take free ports."""
        own = {range(port - MASTER, port + 1) for model in cluster.serve if (port := _master_port(model))}
        return (PORTS, *sorted(own, key=lambda each: each.start), EPHEMERAL)

    def probe_ports(self, cluster: Cluster, node: Node, held: frozenset[int]) -> tuple[int, ...]:
        return (*self.required_ports(cluster, node), free_port(EPHEMERAL, held))

    def supervisors(self, cluster: Cluster) -> tuple[Node, ...]:
        return cluster.nodes

    def reason_to_replace(
        self, cluster: Cluster, node: Node, here: HostFacts, container: Container, table: object
    ) -> str | Problem:
        few = _few(node, here)
        return (
            Problem(few, f"look at its driver: {host_command('nvidia-smi')}; or {_counted(node, here)}")
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


def _seen_gpus(node: Node, here: HostFacts) -> int | None:
    """Only NVIDIA's driver tells of its GPUs at a look."""
    if node.accelerator is not Accelerator.NVIDIA or here.gpus is None:
        return None
    return min(here.gpus, devices.expected(node, here))


def _few(node: Node, here: HostFacts) -> str:
    seen, expected = _seen_gpus(node, here), devices.expected(node, here)
    return f"the host shows {seen} of its {expected} GPUs" if seen is not None and seen < expected else ""


def _counted(node: Node, here: HostFacts) -> str:
    """The change of the inventory that goes by those that are seen; of none, no host can make use."""
    seen = _seen_gpus(node, here)
    return change("ray.num_gpus", str(seen)) if seen else f"set {where('ray.num_gpus')}"


def _master_port(model: Model | None) -> int:
    """The one that a person has given; 0 for none."""
    return arguments.read(model.args).number(arguments.MASTER_PORT) if model else 0
