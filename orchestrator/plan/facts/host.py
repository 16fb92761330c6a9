"""Facts of a host, as plain values: `parse` makes them of a probe's answer, planners read them."""

from enum import IntEnum
from ipaddress import ip_address, ip_network

from orchestrator.frozen import dataclass
from orchestrator.model.secret import Secret
from orchestrator.model.ssh_target import host_port
from orchestrator.plan.facts.docker_engine import Engine, Maker
from orchestrator.plan.facts.image import ImageInfo
from orchestrator.plan.lock import Holder
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving.state import Served, Stopped


class Depth(IntEnum):
    """How far a host is inspected: the next level reports more, and takes longer."""

    CONTAINERS = 1
    """The cluster's containers, what is served in them, and its token."""
    RAY = 2
    """Also the image, what runs in the containers, and Ray's node table."""
    MACHINE = 3
    """Also folders and who listens, which takes seconds where a network share is lost."""


@dataclass(frozen=True, slots=True)
class Unreachable(Problem):
    """A host that could not be asked. `lasting`: asking again is of no use before somebody has mended it."""

    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address on one of the host's interfaces; `mtu` in bytes, `card`: the interface's MAC address.

    `prefix`: how many bits of the address are its network's, 0 if untold.
    """

    interface: str
    ip: str
    mtu: int = 0
    card: str = ""
    prefix: int = 0


@dataclass(frozen=True, slots=True)
class Listener:
    """A TCP port that something listens on. `address`: `*` for all. `by`: who, as far as we may know."""

    address: str
    port: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on the host. `exists`: None where nobody answers for it; `free`: bytes, None if untold."""

    path: str
    exists: bool | None
    free: int | None


@dataclass(frozen=True, slots=True)
class Machine:
    """The host itself. `resolves_to`: the address of its own name there; `memory`: bytes, 0 if untold.

    `missing`: the device files that its container is to be given, and that are not there. `lacks`: the programs that
    ours need, and that it has not.
    """

    hostname: str
    resolves_to: str
    memory: int
    hf_home: Folder
    missing: tuple[str, ...] = ()
    kernel: str = ""
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Container:
    """A container as `docker inspect` describes it. Times: seconds since the epoch, by the host; 0: not written down.

    `restart`: the policy.
    """

    id: str
    name: str
    cluster: str
    role: str
    spec: str
    status: str
    running: bool
    exit_code: int
    oom_killed: bool
    error: str
    started: float
    finished: float
    restarts: int
    image: str
    image_id: str
    command: str
    env: frozenset[str]
    restart: str = ""

    @property
    def end_is_unknown(self) -> bool:
        """Whether its engine saw nothing of its end, as Podman after a power cut, and so tells code 0 and no time."""
        return self.status == "exited" and not (self.exit_code or self.finished)

    @property
    def ended(self) -> str:
        """Why it is not running, in a few words; empty while it runs."""
        if self.running:
            return ""
        if self.status == "created":
            return f"created but never started{': ' + self.error if self.error else ''}"
        if self.end_is_unknown:
            return "ended, and its engine has not written down how"
        cause = "out of memory" if self.oom_killed else self.error
        return f"{self.status} with code {self.exit_code}{' (' + cause + ')' if cause else ''}"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another container on the host, as the list of all tells. `cluster`: of raycluster's, else empty."""

    name: str
    cluster: str
    running: bool
    command: str


@dataclass(frozen=True, slots=True)
class Resource:
    """What a node offers to Ray, as its scheduler counts it: CPUs and GPUs, memory in bytes."""

    name: str
    free: float
    total: float


@dataclass(frozen=True, slots=True)
class RayNode:
    """A row of Ray's node table. `started` is the raylet's own clock, in seconds since the epoch.

    `accelerators`: how many it has, by Ray's name for them.
    `reached`: whether the head can connect to the node's `port`; None where it is not known yet.
    `resources`: none where they were not asked for, or are not told.
    `metrics`: the port that exports them; none in an image whose Ray lacks its agent. `exports`: whether somebody
    listens there, as far as it was tried.
    """

    ip: str
    alive: bool
    is_head: bool
    accelerators: tuple[tuple[str, int], ...]
    started: float
    hostname: str = ""
    death: str = ""
    port: int = 0
    reached: bool | None = True
    resources: tuple[Resource, ...] = ()
    metrics: int = 0
    exports: bool = True

    def count(self, resource: str) -> int:
        """How many accelerators of that name it has."""
        return dict(self.accelerators).get(resource, 0)

    @property
    def out_of_reach(self) -> str:
        """What is wrong with a node that only seems to have joined; empty for a good one."""
        if self.reached is not False:
            return ""
        where = host_port(self.ip, self.port)
        return f"Ray lists it, but the head cannot reach it at {where}, and will soon give it up"


def ray_and_python(ray: str | None, python: str) -> str:
    """The versions that have to be the same on all hosts, or Ray does not join them."""
    return f"Ray {ray}, Python {python}"


@dataclass(frozen=True, slots=True)
class RayTable:
    """Ray's node table as its GCS reports it.

    `dashboard`: its address as the head reaches it, empty until it has started; it is told also where Ray is
    installed without one. `metrics`: the addresses that export those of no node. `python`: the head's, empty if untold.
    """

    version: str
    nodes: tuple[RayNode, ...]
    dashboard: str = ""
    metrics: tuple[str, ...] = ()
    python: str = ""

    @property
    def versions(self) -> str:
        """What has to be the same on all hosts, or Ray does not join them."""
        return ray_and_python(self.version, self.python)

    def alive(self, ip: str, since: float = 0.0) -> RayNode | None:
        """The living node at `ip` that started after `since`.

        Ray lists a node as alive for some 15 s after it was killed, so a node that is older than the
        container on its host is a ghost of the last one.
        """
        living = (node for node in self.nodes if node.ip == ip and node.alive and node.started >= since)
        return next(living, None)

    def death(self, ip: str) -> str:
        """Ray's words about the last node at `ip` that it lost."""
        lost = [node for node in self.nodes if node.ip == ip and not node.alive]
        return max(lost, key=lambda node: node.started).death if lost else ""


@dataclass(frozen=True, slots=True)
class RayTrouble(Problem):
    """Ray's GCS gave no node table. `gone`: its port refuses, so no Ray is there at all; `final`: it never will."""

    gone: bool = False
    final: bool = False


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Facts of one host; fields beyond the requested `Depth` are empty.

    `ray` is asked on the head only; `gpus` counts NVIDIA's, None if untold. `served`: the servers of models, or ranks
    of them; `stopped`: those of which a log is left; `unheard`: why nobody knows, where that could not be asked.
    `engine`: Docker's; asked where no container of ours runs yet.
    `interfaces`: those with any address, also one that is for a single wire.

    `neighbours`: containers of other clusters. `holder`: who has the cluster's lock, as its head tells.

    `booted`, and when Docker's daemon was started: seconds since the epoch, 0 if untold; asked where no container of
    ours runs.

    `image_id`: of the image that containers run, empty if it is not there; `image_layers`: its contents, which other
    hosts know by the same names. Where that is one with `ray.install`, `derived` is all of it, and `base` is the
    inventory's image, below it. `image_env`: the variables that it gives its containers; `image_entrypoint`: its own.
    """

    now: float
    home: str
    addresses: tuple[Address, ...]
    infiniband: bool
    gpus: int | None
    docker: tuple[Container, ...] | Problem
    image_id: str
    processes: frozenset[str]
    token: Secret | None
    ray: RayTable | RayTrouble | None
    machine: Machine | None = None
    listeners: tuple[Listener, ...] | None = None
    derived: ImageInfo | None = None
    base: ImageInfo | None = None
    image_layers: tuple[str, ...] = ()
    served: tuple[Served, ...] = ()
    stopped: tuple[Stopped, ...] = ()
    unheard: str = ""
    engine: Engine | None = None
    image_env: tuple[tuple[str, str], ...] = ()
    image_entrypoint: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    booted: float = 0.0
    engine_started: float = 0.0
    holder: Holder | None = None
    neighbours: tuple[Neighbour, ...] = ()

    def within(self, network: str) -> tuple[Address, ...]:
        """The addresses that lie in the CIDR `network`."""
        return tuple(a for a in self.addresses if ip_address(a.ip) in ip_network(network, strict=False))

    def named(self, name: str) -> Container | None:
        """The container of that name, whoever made it."""
        return next((container for container in self.containers if container.name == name), None)

    @property
    def containers(self) -> tuple[Container, ...]:
        """Those that Docker lists; none where it failed."""
        return () if isinstance(self.docker, Problem) else self.docker


def runs(state: str) -> bool:
    """Whether a container runs whose `State` in a list this is. Podman 4.3 tells `Up 5 seconds ago` there."""
    return state == "running" or (state.startswith("Up ") and "(Paused)" not in state)


def answered(here: HostFacts | Unreachable) -> HostFacts | Problem:
    """The facts of a host whose Docker has answered; else what is wrong with the host, or with its Docker."""
    return here.docker if isinstance(here, HostFacts) and isinstance(here.docker, Problem) else here


def missing_folder(here: HostFacts | Unreachable) -> str:
    """The `hf_home` that has to be made before a container can have it: Docker makes what is not there, as root's."""
    if not isinstance(here, HostFacts) or not here.machine or not here.engine:
        return ""
    absent = here.machine.hf_home.exists is False
    return here.machine.hf_home.path if absent and here.engine.maker is Maker.PODMAN else ""


Facts = dict[str, HostFacts | Unreachable]
"""The facts of each host, by its name in the inventory; hosts that only Ray knows go by their address."""

ImageLookup = ImageInfo | Unreachable | None
"""The image that a host has under a name: None is none."""
