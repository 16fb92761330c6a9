"""What a user may write. Nothing is filled in or merged here: what is not written is None."""

from collections.abc import Iterator, Mapping
from itertools import cycle
from typing import NamedTuple, Self

from orchestrator.model.cluster import (
    Accelerator,
    Auth,
    Engine,
    Entrypoint,
    GetOn,
    HostKeys,
    Liveness,
    Ports,
    Pull,
    Rdma,
)
from orchestrator.model.inventory import addresses, arguments, ranges, values
from orchestrator.model.inventory.fields import ListOf, MapOf, Schema, Section, entry
from orchestrator.model.inventory.mistakes import Fault, Path, quoted

OTHER_NAMES = {
    **dict.fromkeys(("cuda", "gpu", "gpus"), "nvidia"),
    **dict.fromkeys(("rocm", "hip"), "amd"),
    **dict.fromkeys(("xpu", "oneapi"), "intel"),
    **dict.fromkeys(("npu", "cann"), "ascend"),
    **dict.fromkeys(("hpu", "habana"), "gaudi"),
    "cpu": "none",
}
"""What kinds of devices are also called."""


class Ssh(Section):
    """How to reach a host; what is not written is as `~/.ssh/config` has it."""

    example = "{user: ubuntu}"
    user: str | None = entry(values.user, "The user to log in as.")
    port: int | None = entry(values.port, "The port of the SSH server.")
    key: str | None = entry(
        values.text, "The private key to log in with: a file on this machine, such as ~/.ssh/id_ed25519."
    )
    jump: str | None = entry(addresses.jump, "A host to go through, [user@]host[:port], as in ProxyJump.")
    host_keys: HostKeys | None = entry(
        values.choice(HostKeys),
        "Unknown host keys are refused (strict) or recorded (accept-new).",
    )
    connect_timeout: float | None = entry(
        values.seconds, "Seconds to wait for a connection, as in ConnectTimeout."
    )


class Docker(Section):
    """How containers are run."""

    example = "{shm_size: 32g}"
    command: str | None = entry(
        values.command, 'The command, such as "sudo -n docker" or "podman"; docker if not given.'
    )
    gpus: str | None = entry(
        values.gpu_request,
        "Docker's --gpus, such as all (the default), 4 or device=0,1; none for no --gpus; for accelerator nvidia.",
    )
    shm_size: str | None = entry(
        values.size, "The size of /dev/shm in containers, which Ray and NCCL need; 10.24g if not given."
    )
    restart: str | None = entry(
        values.restart, "no, always, unless-stopped (the default), on-failure or on-failure:N."
    )
    pull: Pull | None = entry(
        values.choice(Pull), "When the image is pulled: missing (the default), always or never."
    )
    entrypoint: Entrypoint | None = entry(
        values.choice(Entrypoint),
        "The image's own entrypoint: skip (the default), or keep: it runs first, and sets the environment up.",
    )
    args: tuple[str, ...] | None = entry(
        ListOf(arguments.docker),
        "Further arguments of docker run, one item each; a host's come after the cluster's.",
    )

    @classmethod
    def elsewhere(cls) -> Mapping[str, str]:
        """As other tools have them: docker compose, Ray's cluster launcher."""
        return {
            **dict.fromkeys(("env", "environment"), 'is "env", a key of the top level or of a host'),
            "image": "is a key of the top level",
            **dict.fromkeys(("network", "network_mode", "net"), "is not needed: it is always host"),
            **dict.fromkeys(
                ("volumes", "volume", "mounts"), 'goes under "args", as in args: [-v, /data:/data]'
            ),
            **dict.fromkeys(("run_options", "options", "extra_args", "run_args"), 'is called "args"'),
            **dict.fromkeys(
                ("privileged", "ipc", "ulimits", "devices", "runtime", "user", "cap_add", "security_opt"),
                'goes under "args", as docker run has it',
            ),
        }


class HostRay(Section):
    """What a host may say of Ray for itself."""

    example = "{num_gpus: 4}"
    args: tuple[str, ...] | None = entry(
        ListOf(arguments.ray),
        "Further arguments of ray start, one item each; a host's come after the cluster's.",
    )
    num_gpus: int | None = entry(
        values.gpus, "How many GPUs (NPUs, HPUs, TPUs) Ray is told of; as many as Ray finds if not given."
    )

    @classmethod
    def elsewhere(cls) -> Mapping[str, str]:
        return dict.fromkeys(Ray.entries(), 'holds for the whole cluster; write it under the top-level "ray"')


class Ray(HostRay):
    """Ray, for the whole cluster."""

    example = "{port: 6379}"
    port: int | None = entry(values.port, "The port of Ray's GCS on the head; 6379 if not given.")
    ports: Ports | None = entry(
        values.choice(Ports),
        "random (the default): Ray takes free ports; pinned: the eleven from ray.port on.",
    )
    auth: Auth | None = entry(
        values.choice(Auth),
        "Token authentication: token, disabled or auto (the default: token where Ray has it).",
    )
    install: str | None = entry(
        values.text, 'A pip requirement for images without Ray, such as "ray[default]==2.56.*".'
    )


class Serve(Section):
    """A model that the cluster is for."""

    example = "{model: Qwen/Qwen3-32B}"
    model: str = entry(
        values.text, "A model's name on Hugging Face, or its folder in the containers.", required=True
    )
    name: str | None = entry(
        values.server_name, "What its server is called; the end of the model's name if not given."
    )
    args: tuple[str, ...] | None = entry(
        ListOf(arguments.vllm), "Further arguments of vllm serve, one item each."
    )
    gpus: int | None = entry(
        values.some_gpus, "How many GPUs it has in all; all that no other model has if not given."
    )
    hosts: str | None = entry(values.text, "The hosts that it is on, as -l names them; all if not given.")
    port: int | None = entry(values.port, "The port of its API; the first free one from 8000 if not given.")
    pull: bool | None = entry(
        values.flag, "true: before it is served, the head downloads it, and the others get it from there."
    )
    liveness: Liveness | None = entry(
        values.choice(Liveness),
        "on (the default): it is asked for a token where its counters stand still; off: /health is believed.",
    )
    stalled_after: int | None = entry(
        values.minutes, "Minutes in which nothing moves, after which a load is ended; 60 if not given."
    )


class Image(Section):
    """The image, and how hosts come by it."""

    example = "{from: vllm/vllm-openai:v0.18.0, get_on: head}"
    from_: str = entry(values.image, "The Docker image, with tag or digest.", required=True)
    get_on: GetOn | None = entry(
        values.choice(GetOn),
        "Who pulls the image, and builds it with ray.install: each host (the default), or the head alone, "
        "and the others get it from there.",
    )

    @classmethod
    def elsewhere(cls) -> Mapping[str, str]:
        return {"build_on": 'is called "get_on" now'}


class _ImageOrItsName:
    """The two forms of `image`."""

    def read(self, written: object, path: Path, faults: list[Fault]) -> Image | str | None:
        kind = Image if isinstance(written, dict) else values.image
        return kind.read(written, path, faults)

    def schema(self) -> Schema:
        return {"oneOf": [values.image.schema(), Image.schema()]}


class _Models:
    """The two forms of `serve`: a model, or a list of them."""

    def read(
        self, written: object, path: Path, faults: list[Fault]
    ) -> Serve | tuple[Serve | None, ...] | None:
        if not isinstance(written, list):
            return Serve.read(written, path, faults)
        return tuple(Serve.read(each, (*path, i), faults) for i, each in enumerate(written))

    def schema(self) -> Schema:
        return {"oneOf": [Serve.schema(), {"type": "array", "items": Serve.schema()}]}


class _Shared(Section):
    """What may be written for the whole cluster and for a host; the host's own is merged in."""

    ssh: Ssh | None = entry(Ssh, "How to reach the hosts.")
    docker: Docker | None = entry(Docker, "How containers are run.")
    env: dict[str, str] | None = entry(
        MapOf(values.variable, values.variable_value), "Environment variables of the containers."
    )
    hf_home: str | None = entry(
        values.hf_home,
        "The folder on the host for Hugging Face downloads; ~/.cache/huggingface if not given.",
    )
    accelerator: Accelerator | None = entry(
        values.choice(Accelerator, meant=OTHER_NAMES),
        "The kind of device: nvidia (the default), amd, intel, ascend, gaudi, tpu or none.",
    )
    rdma: Rdma | None = entry(
        values.choice(Rdma),
        "InfiniBand devices for the containers: auto (where there are any), on or off.",
    )

    @classmethod
    def elsewhere(cls) -> Mapping[str, str]:
        """For each key of `ssh`, `docker` and `ray`, which of them have it; and the keys of the other level."""
        homes: dict[str, str] = {}
        for section in ("ssh", "docker", "ray"):
            kind = cls.entries()[section].kind
            for key in kind.entries() if isinstance(kind, type) and issubclass(kind, Section) else ():
                homes[key] = (
                    f"{homes[key]} or {quoted(section)}" if key in homes else f"goes under {quoted(section)}"
                )
        return homes


class Machine(NamedTuple):
    """What tells one machine of a range from the others."""

    name: str
    host: str
    ip: str | None


class Host(_Shared):
    """One machine, or a range of them."""

    example = "{host: gpu1.example.com, ip: 10.0.0.1}"
    host: str = entry(
        addresses.host,
        "Where to SSH: a name or an address; gpu[2-9] stands for eight workers, local for this machine.",
        required=True,
    )
    ip: str | None = entry(
        addresses.ip, "The address the hosts reach each other at: VLLM_HOST_IP and Ray's node address."
    )
    name: str | None = entry(
        addresses.name, "What the host is called here and in its container's name; host if not given."
    )
    ray: HostRay | None = entry(HostRay, "Ray on this host.")

    @classmethod
    def elsewhere(cls) -> Mapping[str, str]:
        top = "holds for the whole cluster; write it at the top level"
        return {**super().elsewhere(), **dict.fromkeys(Inventory.entries(), top)}

    @classmethod
    def read(cls, written: object, path: Path, faults: list[Fault]) -> Self:
        """An empty host where a fault is in what the host is; one further in, `ssh.port` for example, is only out."""
        before = len(faults)
        read = super().read(written, path, faults)
        spoiled = any(len(fault.path) <= len(path) + 1 for fault in faults[before:])
        return cls() if read is None or spoiled else read

    @property
    def size(self) -> int:
        """How many machines: as many as `host` names."""
        return ranges.count(self.host)

    def machines(self) -> tuple[Machine, ...]:
        """The machines, in the order of their ranges, which are known to be of one size."""
        hosts = ranges.expand(self.host)
        names = ranges.expand(self.name or self.host)
        ips = map(addresses.normal, ranges.expand(self.ip)) if self.ip else cycle([None])
        return tuple(map(Machine, names, hosts, ips))


class _Workers(ListOf):
    """Counted before anything is expanded: a range is a few characters, whatever it stands for."""

    def read(self, written: object, path: Path, faults: list[Fault]) -> tuple[Host, ...] | None:
        total = sum(map(_count, written)) if isinstance(written, list) else 0
        if total <= ranges.MOST:
            return super().read(written, path, faults)
        faults.append(Fault(path, f"stands for {total:,} hosts; a cluster has at most {ranges.MOST:,}"))
        return None


def _count(worker: object) -> int:
    host = worker.get("host") if isinstance(worker, dict) else None
    return ranges.count(host) if isinstance(host, str) else 1


class Inventory(_Shared):
    """A file: one cluster."""

    example = "{cluster: demo, image: ..., head: {...}}"
    cluster: str = entry(
        values.cluster_name,
        "The cluster's name; in the names and labels of its containers.",
        required=True,
    )
    image: str | Image = entry(
        _ImageOrItsName(),
        "The Docker image, with tag or digest; or a map of it and of who gets it.",
        required=True,
    )
    head: Host = entry(Host, "The machine that the others join.", required=True)
    workers: tuple[Host, ...] | None = entry(_Workers(Host), "The other machines.")
    network: str | None = entry(
        addresses.network,
        "A network such as 10.0.0.0/24; a host without ip uses its one address in it.",
    )
    secrets: tuple[str, ...] | None = entry(
        ListOf(values.variable, unique=True),
        "Variables of your own environment, given to the containers and shown nowhere.",
    )
    engine: Engine | None = entry(
        values.choice(Engine),
        "What joins the machines for vLLM: ray (the default), or mp, vLLM's own multi-node mode.",
    )
    ray: Ray | None = entry(Ray, "Ray, on all hosts.")
    serve: Serve | tuple[Serve | None, ...] | None = entry(
        _Models(), "The model, or a list of models, that up --serve brings up."
    )

    @classmethod
    def elsewhere(cls) -> Mapping[str, str]:
        host = 'belongs to a host; write it under "head" or in "workers"'
        others = {
            "get_on": 'goes under "image"',
            "build_on": 'is called "get_on" now, and goes under "image"',
            "model": 'goes under "serve"',
        }
        return {**super().elsewhere(), **dict.fromkeys(Host.entries(), host), **others}

    def models(self) -> Iterator[tuple[Path, Serve]]:
        """Every model of `serve` that could be read, and where it is written."""
        several = isinstance(self.serve, tuple)
        for i, model in enumerate(self.serve if isinstance(self.serve, tuple) else (self.serve,)):
            if model and model.model:
                yield (("serve", i) if several else ("serve",)), model

    def hosts(self) -> Iterator[tuple[Path, Host]]:
        """Every host that could be read, and where it is written."""
        workers = ((("workers", i), worker) for i, worker in enumerate(self.workers or ()))
        for path, host in ((("head",), self.head), *workers):
            if host and host.host:
                yield path, host
