"""What an engine is asked for, by those who do not know which one it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from orchestrator.model.cluster import Cluster, Model, Node
from orchestrator.plan.facts.host import Container, Facts, HostFacts
from orchestrator.plan.serving.spec import Serving
from orchestrator.plan.steps import Rejected, Until


@dataclass(frozen=True, slots=True)
class Member:
    """What a host with a container is to its cluster; None: could not be learned.

    `gpus`: those that are seen. `trouble`: what is wrong with a container that runs; `fix`: what to do.
    """

    sound: bool
    ray: bool | None
    joined: bool | None
    gpus: int | None
    trouble: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Roster:
    """The hosts that are in the cluster now, each with its GPUs, None where untold. `says`: who tells so.

    `strangers`: addresses that are in it too.
    """

    summary_prefix: str
    gpus: Mapping[str, int | None]
    strangers: tuple[str, ...] = ()


class Engine(Protocol):
    """Ray, or vLLM's own multi-node mode."""

    @property
    def hidden_columns(self) -> frozenset[str]:
        """What a host's health has not with it."""

    @property
    def port_owner(self) -> str:
        """Whose the ports between the hosts are."""

    @property
    def waits(self) -> str:
        """The title of the wait for a host to join."""

    def normalized(self, cluster: Cluster) -> Cluster:
        """Without the settings that do not concern it."""

    def gcs(self, cluster: Cluster) -> int | None:
        """The port at which Ray's GCS on the head tells of its nodes; None where there is no Ray."""

    def start(self, cluster: Cluster, node: Node, ip: str, head_ip: str) -> str:
        """What bash runs in the node's container."""

    def variables(self, cluster: Cluster, node: Node) -> Mapping[str, str]:
        """What the container's environment has for it."""

    def options(self, cluster: Cluster, node: Node, home: str) -> tuple[str, ...]:
        """What of `docker run` is for it. `home`: the user's, on the host."""

    def needed(self, cluster: Cluster, node: Node) -> dict[int, str]:
        """The ports that have to be free on the node's host, and what for."""

    def open_between_hosts(self, cluster: Cluster) -> tuple[range, ...]:
        """The ports at which the hosts must reach each other."""

    def probe_ports(self, cluster: Cluster, node: Node, held: frozenset[int]) -> tuple[int, ...]:
        """Where to try whether the node can be reached: a port of each kind, those that are free not `held`."""

    def supervisors(self, cluster: Cluster) -> tuple[Node, ...]:
        """The nodes whose containers may keep a part of a model's server."""

    def reason_to_replace(
        self, cluster: Cluster, facts: Facts, node: Node, container: Container
    ) -> str | Rejected:
        """Why a container that runs as wanted is of no use; a refusal where a new one would be no cure."""

    def joined(self, node: Node, here: HostFacts, restarts: int) -> Until:
        """Until the node has joined. `restarts`: how often Docker had restarted its container before."""

    def member(self, cluster: Cluster, facts: Facts, node: Node, container: Container) -> Member:
        """What the node is to the cluster."""

    def summary_prefix(self, version: str | None) -> str:
        """Who tells which hosts are in the cluster, as a sentence begins; empty where nobody does."""

    def roster(self, cluster: Cluster, facts: Facts, watched: str, started: frozenset[str]) -> Roster:
        """Who is in the cluster after an `up`. `watched`: its watch's last line; `started`: where it started one."""

    def serving(self, cluster: Cluster, facts: Facts, model: Model) -> Serving | tuple[Rejected, ...]:
        """Who does what to serve the model, each in its container, once that runs; or why nobody can."""
