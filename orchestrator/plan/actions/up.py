"""The plan of `up`: images, then the head, then the workers, until Ray lists every host."""

import shlex
from collections.abc import Iterator, Mapping

from orchestrator.frozen import dataclass
from orchestrator.model.accelerators import KINDS
from orchestrator.model.cluster import Auth, Cluster, Entrypoint, Node
from orchestrator.model.secret import Secret
from orchestrator.model.ssh_target import host_port
from orchestrator.plan import docker, engine
from orchestrator.plan.actions import conditions
from orchestrator.plan.actions.images import get_image
from orchestrator.plan.actions.prune import left_outside
from orchestrator.plan.actions.reconcile import Decision, Keep, Start, reconcile
from orchestrator.plan.checks import Level, obstacles, quick
from orchestrator.plan.docker.mounts import own_mounts
from orchestrator.plan.facts.host import Facts, HostFacts, missing_folder
from orchestrator.plan.host_commands import check_tcp, keep_token, make_folder
from orchestrator.plan.problem import HostProblem, Problem, plural
from orchestrator.plan.ray.commands import STARTED, STARTS
from orchestrator.plan.remedies import NOT_PASSED_ON
from orchestrator.plan.serving.ending import ending
from orchestrator.plan.serving.plan import resumed as resume
from orchestrator.plan.steps import Change, OnFailure, Phase, Plan, Run, Step, StepKind, Wait, Watch
from orchestrator.plan.typed import there

BEGIN_SECONDS = 60.0  # as long as whatever comes later in the container waits for its environment
HEAD_SECONDS = 120.0
JOIN_SECONDS = 180.0
LOOK_EVERY = 2.0  # at a container while Ray starts in it, and needs the CPU that a look takes
WATCH_SECONDS = JOIN_SECONDS + 240.0
"""The steps before a host's wait take their time too, and the watch has to outlast them all."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What `up` sends to hosts but never shows: the user's secrets, and a token should the head have none."""

    secrets: tuple[Secret, ...]
    token: Secret


def plan_up(cluster: Cluster, facts: Facts, sealed: Secrets, only: frozenset[str] | None = None) -> Plan:
    """What makes Ray list every host of the inventory; with `only`, what those hosts need for it."""
    findings = quick(cluster, facts)
    decided = reconcile(cluster, facts, obstacles(findings), sealed.secrets, only)
    refusals = tuple(HostProblem(host, each) for host, each in decided.items() if isinstance(each, Problem))
    starts = {host: each for host, each in decided.items() if isinstance(each, Start)}
    outside = tuple(left_outside(cluster, facts))
    title = f"bring up cluster {cluster.name}"
    if isinstance(decided[cluster.head.name], Problem) or not starts:
        return Plan(title, refusals=refusals, warnings=outside)
    phases = tuple(_Up(cluster, facts, decided, _token(cluster, facts, sealed)).phases())
    noteworthy = (each for each in findings if each.level is Level.WARNING and each.host in starts)
    warnings = (
        *(HostProblem(each.host, each.problem) for each in noteworthy),  # of others it was said before
        *ending(facts, frozenset(starts), anew=True),
        *outside,
    )
    changes = tuple(Change(host, start.why) for host, start in starts.items())
    return Plan(title, phases, changes, refusals, warnings)


def _token(cluster: Cluster, facts: Facts, sealed: Secrets) -> Secret | None:
    """The head's token, so that hosts added later get the one that the cluster runs with."""
    if cluster.ray.auth is Auth.DISABLED:
        return None
    head = facts[cluster.head.name]
    return (head.token if isinstance(head, HostFacts) else None) or sealed.token


@dataclass(frozen=True, slots=True)
class _Up:
    cluster: Cluster
    facts: Facts
    decided: Mapping[str, Decision]
    token: Secret | None

    def phases(self) -> Iterator[Phase]:
        starting = (node for node in self.cluster.nodes if isinstance(self.decided.get(node.name), Start))
        getting = tuple(get_image(self.cluster, self.facts, tuple(starting)))
        yield from getting
        head = self.decided[self.cluster.head.name]
        if isinstance(head, Start):
            yield Phase("Start the head", tuple(self._head(head)), OnFailure.STOP)
        title = "Join the workers" if self.cluster.workers else "Join"
        changing = frozenset(step.host for phase in getting for step in phase.steps)
        yield Phase(title, tuple(self._joins(changing)), OnFailure.DROP_HOST, self._watch())

    def _head(self, start: Start) -> Iterator[Step]:
        node, port = self.cluster.head, self.cluster.ray.port
        yield from self._start(node, start)
        if self.cluster.engine.has_ray:
            probe = docker.listening(self.cluster, node, start.place.ip)
            title, until = f"wait for its GCS on port {port}", conditions.Answers(port)
            yield Wait(node.name, title, probe, until, within=HEAD_SECONDS, every=0.1)

    def _joins(self, changing: frozenset[str]) -> Iterator[Step]:
        """Of a model that is served, a rank whose container is new is started in it: the others wait for it.

        `changing`: the hosts that get an image in this run.
        """
        anew = frozenset(name for name, each in self.decided.items() if isinstance(each, Start))
        resumed = resume(self.cluster, self.facts, anew)
        for node in self.cluster.nodes:
            decision = self.decided.get(node.name)
            if isinstance(decision, Start) and node is not self.cluster.head:
                if self.cluster.engine.has_ray:
                    yield self._reach(node)
                    if not self._same_image(node, changing):
                        yield self._compare(node)
                yield from self._start(node, decision)
            if isinstance(decision, Start | Keep):
                yield self._join(node, decision, changing)
            yield from resumed.get(node.name, ())

    def _reach(self, node: Node) -> Run:
        ip, port = self._head_ip, self.cluster.ray.port
        fix = f"let {node.name} reach TCP {ip}:{port} (a firewall, a route, or the head's `ip`?)"
        title = f"reach the head at {host_port(ip, port)}"
        return Run(node.name, title, check_tcp(ip, port), timeout=5, fix=fix)

    def _same_image(self, node: Node, changing: frozenset[str]) -> bool:
        """Whether the node is known to have the head's image, and so its Ray and Python."""
        if node is self.cluster.head:
            return True
        if {node.name, self.cluster.head.name} & changing:
            return False
        here, head = self.facts[node.name], self.facts[self.cluster.head.name]
        assert isinstance(here, HostFacts)  # noqa: S101 - a silent host was refused
        assert isinstance(head, HostFacts)  # noqa: S101
        contents = bool(here.image_layers) and here.image_layers == head.image_layers
        return contents or (here.image_id != "" and here.image_id == head.image_id)

    def _nothing_mounted(self, node: Node) -> bool:
        """Whether what the image has is all there is: a folder that is mounted may bring another Ray."""
        return node is self.cluster.head or not any(map(own_mounts, (node, self.cluster.head)))

    def _compare(self, node: Node) -> Wait:
        """Ray before 2.56 lists a worker of another version for a moment, and the head may go down with it."""
        head = self.cluster.head.name
        title, until = f"compare its Ray and Python with {head}'s", conditions.SameRay(head)
        return Wait(node.name, title, docker.versions(self.cluster, node), until, JOIN_SECONDS, JOIN_SECONDS)

    def _start(self, node: Node, start: Start) -> Iterator[Step]:
        if start.replaces:
            discard, kind = docker.discard(self.cluster, node), StepKind.REMOVE_CONTAINER
            yield Run(node.name, "remove its old container", discard, kind=kind)
        if self.token:
            yield Run(node.name, "write Ray's token", keep_token(self.cluster, node, self.token))
        if folder := missing_folder(self.facts[node.name]):
            fix = there(f"sudo mkdir -p {shlex.quote(folder)}")
            yield Run(node.name, f"make {folder}", make_folder(folder), fix=fix)
        yield Run(node.name, "start its container", start.spec.run, kind=StepKind.START_CONTAINER)
        if node.docker.entrypoint is Entrypoint.KEEP:
            title, begun = "wait for its entrypoint", docker.begun(self.cluster, node)
            yield Wait(node.name, title, begun, conditions.Begins(), BEGIN_SECONDS, 0.5, NOT_PASSED_ON)

    def _join(self, node: Node, decision: Start | Keep, changing: frozenset[str]) -> Wait:
        here, of = self.facts[node.name], engine.of(self.cluster)
        assert isinstance(here, HostFacts)  # noqa: S101 - a silent host was refused
        probe, until = docker.state(self.cluster, node), of.joined(node, here, decision.restarts)
        starts = self.cluster.engine.has_ray and isinstance(decision, Start)
        # A Ray that is the head's own stays, once it is listed: there is nothing to hear from its log.
        if starts and not (self._same_image(node, changing) and self._nothing_mounted(node)):
            probe = docker.started(self.cluster, node, STARTS, STARTED)
        return Wait(node.name, of.waits, probe, until, within=JOIN_SECONDS, every=LOOK_EVERY)

    def _watch(self) -> Watch | None:
        if not self.cluster.engine.has_ray:
            return None
        expected = tuple(
            f"{decision.place.ip}={KINDS[node.accelerator].resource}={decision.gpus}"
            for node in self.cluster.nodes
            if isinstance(decision := self.decided.get(node.name), Start | Keep)
        )
        command = docker.follow_nodes(self.cluster, self.cluster.head, self._head_ip, WATCH_SECONDS)
        title = f"watch Ray's node table until it lists {plural(len(expected), 'host')}"
        return Watch(self.cluster.head.name, title, command, expected, within=WATCH_SECONDS)

    @property
    def _head_ip(self) -> str:
        head = self.decided[self.cluster.head.name]
        assert not isinstance(head, Problem)  # noqa: S101 - a refused head has no phases
        return head.place.ip
