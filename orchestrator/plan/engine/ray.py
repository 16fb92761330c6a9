"""Ray: a head with a GCS, workers that join it, and vLLM in the head's container, which finds the GPUs through Ray."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Auth, Cluster, Model, Node, Role
from orchestrator.plan import devices
from orchestrator.plan.actions.conditions import Joined
from orchestrator.plan.facts.address import addresses
from orchestrator.plan.facts.containers import ip_of, ray_table
from orchestrator.plan.facts.host import Container, Facts, HostFacts, RayNode, RayTable, RayTrouble
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.ray import commands as ray
from orchestrator.plan.ray import ports
from orchestrator.plan.ray.commands import few, parse_table
from orchestrator.plan.remedies import FIREWALL, format_duration
from orchestrator.plan.typed import ours

if TYPE_CHECKING:
    from orchestrator.plan.serving.presence import Presence
    from orchestrator.plan.serving.servers import Ledger, Server
    from orchestrator.plan.serving.spec import Serving

Table = RayTable | RayTrouble | None
"""The head's node table; None where its GCS could not be asked."""


@dataclass(frozen=True, slots=True)
class Member:
    """A host's membership; None: unknown.

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
    """The hosts that are in the cluster now, each with its GPUs, None where unknown; `strangers`: other addresses."""

    summary_prefix: str
    gpus: Mapping[str, int | None]
    strangers: tuple[str, ...] = ()


class RayEngine:
    """Membership is what Ray's node table says.

    `hidden_columns`: of the status table, those that say nothing with this engine; `port_owner`: whose the ports
    between the hosts are; `waits`: the title of the wait for a host to join.
    """

    hidden_columns = frozenset[str]()
    port_owner = "Ray's"
    waits = "wait until Ray lists it"

    start = staticmethod(ray.start)
    variables = staticmethod(ports.variables)
    required_ports = staticmethod(ports.required_ports)
    open_between_hosts = staticmethod(ports.open_between_hosts)
    probe_ports = staticmethod(ports.probe_ports)

    def normalized(self, cluster: Cluster) -> Cluster:
        """The cluster without the settings that do not concern the engine."""
        return cluster

    def mounts(self, cluster: Cluster, node: Node, home: str) -> tuple[str, ...]:
        """What of the host the container is given; `home`: the user's, on the host."""
        if cluster.ray.auth is Auth.DISABLED:
            return ()
        return (f"{home}/.raycluster/{cluster.name}/{node.name}.token:{ray.TOKEN_IN_CONTAINER}:ro",)

    def authentication(self, cluster: Cluster) -> Mapping[str, str]:
        """More of its environment. Ray before 2.52 ignores it."""
        if cluster.ray.auth is Auth.DISABLED:
            return {"RAY_AUTH_MODE": "disabled"}
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": ray.TOKEN_IN_CONTAINER}

    def supervisors(self, cluster: Cluster) -> tuple[Node, ...]:
        """The nodes whose containers may have a supervisor of a model's server."""
        return cluster.nodes

    def reason_to_replace(
        self, cluster: Cluster, node: Node, here: HostFacts, container: Container, table: Table
    ) -> str | Problem:
        """Why a container that runs as wanted is of no use; a rejection where a new one would be no cure."""
        if here.processes and "raylet" not in here.processes:
            return "its container runs, but no Ray runs in it"
        listed = _listed(node, here, container, table)
        if node.role is Role.HEAD and cluster.ray.auth is not Auth.DISABLED and not here.token:
            why = "Ray's token cannot be read on this host, so no worker could join"
            fix = f"{ours('down')}, then {ours('up')}, makes a new one"
            # A head at work is not ended because a file cannot be read; one that is not at work may as well be.
            return Problem(why, fix) if listed else why
        if isinstance(table, RayTable):
            if listed is None:
                ran = format_duration(here.now - container.started)
                return f"its container has run for {ran}, but Ray does not list it"
            # A new container is no cure for a firewall.
            closed = Problem(listed.out_of_reach, FIREWALL) if listed.out_of_reach else None
            return closed or _few(node, here, listed).text
        if node.role is Role.HEAD and isinstance(table, RayTrouble):
            return _mute_head(table)
        return ""

    def joined(self, node: Node, here: HostFacts, restarts: int) -> Joined:
        """Until the node has joined. `restarts`: how often Docker had restarted its container before."""
        return Joined(ip_of(node, here) or "", devices.expected(node, here), restarts, node.accelerator)

    def member(self, node: Node, here: HostFacts, container: Container, table: Table) -> Member:
        """The node's membership."""
        if not container.running:
            return Member(sound=False, ray=False, joined=False, gpus=None)
        runs = "raylet" in here.processes if here.processes else None
        listed = _listed(node, here, container, table)
        trouble = _trouble(node, here, container, table, listed)
        return Member(
            sound=runs is not False and listed is not None and not trouble,
            ray=runs,
            joined=listed is not None if isinstance(table, RayTable) else None,
            gpus=listed.count(devices.kind(node).resource) if listed else None,
            trouble=trouble,
            fix=(FIREWALL if listed.out_of_reach else _few(node, here, listed).fix) if listed else "",
        )

    def summary_prefix(self, version: str | None) -> str:
        """Who reports which hosts are in the cluster, as a sentence begins; empty where nobody does."""
        return f"Ray {version} lists" if version else ""

    def roster(self, cluster: Cluster, facts: Facts, watched: str, started: frozenset[str]) -> Roster:
        """The members after an `up`. `watched`: its watch's last line; `started`: where it started a container."""
        table = parse_table(watched) if watched else ray_table(cluster, facts)
        assert isinstance(table, RayTable)  # noqa: S101 - `up` succeeds only when Ray has told
        ips = addresses(cluster, facts)
        listed = {
            node.name: there.count(devices.kind(node).resource)
            for node in cluster.nodes
            if node.name in ips and (there := table.alive(ips[node.name]))
        }
        strangers = {node.ip for node in table.nodes if node.alive} - set(ips.values())
        return Roster(self.summary_prefix(table.version), listed, tuple(sorted(strangers)))

    def serving(
        self, cluster: Cluster, facts: Facts, model: Model, held: "Ledger", own: int, there: "Presence"
    ) -> "Serving | tuple[HostProblem, ...]":
        """Each container's part in serving the model, once that runs; or why it cannot be served.

        `held`: what other servers hold; `own`: the port that one of its name has had, 0 for none; `there`:
        what hosts have told of the model.
        """
        from orchestrator.plan.engine import ray_serving  # noqa: PLC0415 - a tenth of what `exec` loads

        return ray_serving.serving(cluster, facts, model, held, own, there)

    def again(self, cluster: Cluster, facts: Facts, server: "Server") -> "Serving | None":
        """What is served, as it was started; None where the inventory has other hosts by now."""
        from orchestrator.plan.engine import ray_serving  # noqa: PLC0415 - as above

        return ray_serving.again(cluster, facts, server)


def _listed(node: Node, here: HostFacts, container: Container, table: Table) -> RayNode | None:
    ip = ip_of(node, here)
    return table.alive(ip, container.started) if isinstance(table, RayTable) and ip else None


def _few(node: Node, here: HostFacts, listed: RayNode) -> Problem:
    return few(listed, node.accelerator, devices.expected(node, here)) or Problem("")


def _mute_head(trouble: RayTrouble) -> str | Problem:
    """A GCS that refuses connections is gone; one that is only slow may be at work, and is left alone."""
    if trouble.gone:
        return "its container runs, but " + trouble.text
    if trouble.final:
        return Problem(trouble.text, trouble.fix)
    fix = f"try again; if it stays so: {ours('down')}, then {ours('up')}"
    return Problem(f"Ray on the head does not answer: {trouble.text}", fix)


def _trouble(node: Node, here: HostFacts, container: Container, table: Table, listed: RayNode | None) -> str:
    since = format_duration(here.now - container.started)
    if here.processes and "raylet" not in here.processes:
        return f"its container has run for {since}, but no Ray runs in it"
    if listed:
        return listed.out_of_reach or _few(node, here, listed).text
    if isinstance(table, RayTrouble):
        return "Ray on the head does not answer: " + table.text
    if table is None:
        return "its container runs, but there is no head to ask whether it has joined"
    death = table.death(ip_of(node, here) or "")
    return f"up for {since} but not joined{': Ray says ' + repr(death) if death else ''}"
