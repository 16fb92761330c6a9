"""Facts that `--offline` assumes; what only an inspection can find stands in angle brackets."""

from dataclasses import replace

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster, Node, Rdma
from orchestrator.plan.facts.host import Address, Container, Facts, HostFacts, RayTrouble
from orchestrator.plan.facts.image import ImageInfo


@dataclass(frozen=True, slots=True)
class _Supposed(HostFacts):
    """A host whose address nobody has asked for: it lies where it should."""

    def within(self, network: str) -> tuple[Address, ...]:  # noqa: ARG002
        return self.addresses


def nothing_there(cluster: Cluster) -> Facts:
    """Hosts in good order on which the cluster has never been: what `up --offline` plans for."""
    return {node.name: _host(cluster, node, ()) for node in cluster.nodes}


def all_there(cluster: Cluster) -> Facts:
    """Hosts on which the cluster runs: what `down --offline` plans for."""
    asked = RayTrouble("nobody was asked", gone=False)  # nor is anybody to be: a script reads no answer
    return {
        node.name: replace(_host(cluster, node, (_container(cluster, node),)), ray=asked)
        for node in cluster.nodes
    }


def _host(cluster: Cluster, node: Node, containers: tuple[Container, ...]) -> HostFacts:
    ip = node.ip or f"<{node.name}'s address in {node.network}>"
    return _Supposed(
        now=0.0,
        home="<home>",
        addresses=(Address(f"<interface of {ip}>", ip),),
        infiniband=node.rdma is Rdma.ON,
        gpus=None,
        docker=containers,
        image_id="" if cluster.ray.install else cluster.image,
        processes=frozenset(),
        token=None,
        ray=None,
        listeners=(),
        base=ImageInfo(cluster.image),
    )


def _container(cluster: Cluster, node: Node) -> Container:
    return Container(
        id="", name=cluster.container(node), cluster=cluster.name, role=node.role, spec="", status="running",
        running=True, exit_code=0, oom_killed=False, error="", started=0.0, finished=0.0, restarts=0,
        image=cluster.image, image_id="", command="", env=frozenset(),
    )  # fmt: skip
