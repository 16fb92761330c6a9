"""The cluster as the rest of the program sees it: resolved, merged, frozen."""

import re
from enum import StrEnum

from orchestrator.frozen import dataclass


class Role(StrEnum):
    """What a node is to Ray: the head runs the GCS, workers dial it."""

    HEAD = "head"
    WORKER = "worker"


class Accelerator(StrEnum):
    """The kind of device that containers are given."""

    NVIDIA = "nvidia"
    AMD = "amd"
    INTEL = "intel"
    ASCEND = "ascend"
    GAUDI = "gaudi"
    TPU = "tpu"
    NONE = "none"


class Engine(StrEnum):
    """What joins the machines for vLLM: a Ray cluster, or vLLM's own multi-node mode, a process on each."""

    RAY = "ray"
    MP = "mp"

    @property
    def has_ray(self) -> bool:
        """Whether it is a Ray cluster, and what an inventory says of Ray matters."""
        return self is Engine.RAY


class Rdma(StrEnum):
    """Whether containers are given the host's InfiniBand devices; `auto`: where the host has them."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Pull(StrEnum):
    """When an image is pulled before its container is started."""

    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"


class Entrypoint(StrEnum):
    """Whether the image's own entrypoint is skipped, as vLLM's run_cluster.sh does, or kept before our command."""

    SKIP = "skip"
    KEEP = "keep"


class GetOn(StrEnum):
    """Which hosts pull the image, and add `ray.install`: each, or the head, which gives it to the others."""

    EACH = "each"
    HEAD = "head"


class Auth(StrEnum):
    """Ray's token authentication; `auto`: wherever the image's Ray has it (2.52 and later)."""

    AUTO = "auto"
    TOKEN = "token"  # noqa: S105 - a mode, not a token
    DISABLED = "disabled"


class Ports(StrEnum):
    """Which ports Ray listens on: those it finds free, or the fixed ones that follow `ray.port`."""

    RANDOM = "random"
    PINNED = "pinned"


PINNED_PORTS = 11
"""How many fixed ports there are, `ray.port` included."""

WORKER_PORTS = range(10002, 20000)
"""Where Ray's worker processes listen, whatever the other ports are; no other port of Ray's may be there."""


class HostKeys(StrEnum):
    """What happens to a host key nobody has seen before, in OpenSSH's meaning."""

    STRICT = "strict"
    ACCEPT_NEW = "accept-new"


LONGEST_SERVER = 80
SERVER = rf"(?=.{{1,{LONGEST_SERVER}}}$)[A-Za-z0-9][A-Za-z0-9._-]*"
"""What a model's server may be called: it is a folder's name, and a word on the command line."""

HF_HOME = "/root/.cache/huggingface"
"""Where a container has `hf_home`, for Hugging Face looks there as root, unless a variable HF_HOME says otherwise."""

LOCAL = "local"
"""The `host` that is this machine itself."""


CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection, where neither the inventory nor `~/.ssh/config` says."""


@dataclass(frozen=True, slots=True)
class Ssh:
    """How to reach a host. None: as `~/.ssh/config` has it."""

    user: str | None = None
    port: int | None = None
    key: str | None = None
    jump: str | None = None
    host_keys: HostKeys | None = None
    connect_timeout: float | None = None  # seconds

    @property
    def connect_seconds(self) -> float:
        """What to wait for before `~/.ssh/config` has been asked."""
        return self.connect_timeout or CONNECT_TIMEOUT


@dataclass(frozen=True, slots=True)
class Docker:
    """How containers are run on a host."""

    command: tuple[str, ...] = ("docker",)
    gpus: str = "all"
    shm_size: str = "10.24g"
    restart: str = "unless-stopped"
    pull: Pull = Pull.MISSING
    entrypoint: Entrypoint = Entrypoint.SKIP
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ray:
    """What holds for the whole Ray cluster."""

    port: int = 6379
    ports: Ports = Ports.RANDOM
    auth: Auth = Auth.AUTO
    install: str | None = None


class Liveness(StrEnum):
    """Whether a served model is asked for a token where nothing else shows that it works."""

    ON = "on"
    OFF = "off"


STALLED_AFTER = 60
"""Minutes in which nothing moves, after which a load is ended."""


@dataclass(frozen=True, slots=True)
class Model:
    """What `vllm serve` is to serve, with further arguments of its own, and how.

    `named`: what its server is called on the cluster, empty for what follows from the model's name. `gpus`: how many
    in all, 0 for all that are free. `hosts`: as `-l` names them, empty for all. `port`: 0 for the first that is free.
    `pull`: whether it is brought to all hosts first. `stalled_after`: minutes.
    """

    name: str
    args: tuple[str, ...] = ()
    named: str = ""
    gpus: int = 0
    hosts: str = ""
    port: int = 0
    pull: bool = False
    liveness: Liveness = Liveness.ON
    stalled_after: int = STALLED_AFTER

    @property
    def server(self) -> str:
        """The name of its server on the cluster: `qwen3-32b` for Qwen/Qwen3-32B, unless a person has given another."""
        return self.named or server_name(self.name)


def server_name(model: str) -> str:
    """What the server of a model is called, where nobody says: the last part of its name, in lower case."""
    last = re.sub(r"[^a-z0-9._-]+", "-", model.rstrip("/").rpartition("/")[2].lower())
    return last.strip("-._")[:LONGEST_SERVER] or "model"


@dataclass(frozen=True, slots=True)
class Node:
    """One host of the inventory, with everything that holds for it merged in.

    `host` is where to SSH, or LOCAL; `ip` is the data address, both VLLM_HOST_IP and Ray's node address. It is
    None where the file gives only `network`, a CIDR: the host's one address in it is then the `ip`.
    """

    name: str
    host: str
    role: Role
    ip: str | None
    network: str | None = None
    ssh: Ssh = Ssh()
    docker: Docker = Docker()
    env: tuple[tuple[str, str], ...] = ()
    hf_home: str = "~/.cache/huggingface"
    accelerator: Accelerator = Accelerator.NVIDIA
    rdma: Rdma = Rdma.AUTO
    num_gpus: int | None = None
    ray_args: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether it is this machine; then nothing of `ssh` concerns it."""
        return self.host == LOCAL


@dataclass(frozen=True, slots=True)
class Cluster:
    """A whole inventory. `secrets` are names of variables in the laptop's environment; `serve`: its models."""

    name: str
    image: str
    head: Node
    workers: tuple[Node, ...] = ()
    ray: Ray = Ray()
    secrets: tuple[str, ...] = ()
    get_on: GetOn = GetOn.EACH
    engine: Engine = Engine.RAY
    serve: tuple[Model, ...] = ()

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (self.head, *self.workers)

    def container(self, node: Node) -> str:
        """The name of the node's container."""
        return f"raycluster-{self.name}-{node.name}"
