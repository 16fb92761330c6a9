"""What a user may write. Nothing is filled in or merged here: what is not written is None."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from orchestrator.model import addresses, arguments, forms, ranges, reference, values
from orchestrator.model.cluster import Accelerator, Auth, BuildOn, Engine, HostKeys, Ports, Pull, Rdma
from orchestrator.model.problem import Path

Text = Annotated[str, BeforeValidator(values.text), WithJsonSchema(forms.TEXT)]
Port = Annotated[int, BeforeValidator(values.port), WithJsonSchema(forms.PORT)]
Gpus = Annotated[int, BeforeValidator(values.whole(0)), WithJsonSchema(forms.GPUS)]
Variable = Annotated[str, BeforeValidator(values.variable), WithJsonSchema(forms.VARIABLE)]
Value = Annotated[str, BeforeValidator(values.variable_value), WithJsonSchema(forms.ANYTHING)]
DockerArgument = Annotated[str, BeforeValidator(arguments.docker), WithJsonSchema(forms.DOCKER_ARGUMENT)]
VllmArgument = Annotated[str, BeforeValidator(arguments.vllm), WithJsonSchema(forms.VLLM_ARGUMENT)]
RayArgument = Annotated[str, BeforeValidator(arguments.ray), WithJsonSchema(forms.RAY_ARGUMENT)]
Reference = Annotated[str, BeforeValidator(reference.image), WithJsonSchema(forms.IMAGE)]

Error = dict[str, Any]


class Written(BaseModel):
    """A map of the file. `example` is what to show a user who wrote something else in its place."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    example: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: Any) -> Any:
        """`env:` with nothing after it, because every line of it is commented out, is no `env`."""
        if not isinstance(data, dict):
            return data
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {key: value for key, value in data.items() if value is not None or key not in optional}

    def given(self) -> dict[str, Any]:
        """What is written, without what is not."""
        return {key: value for key, value in self if value is not None}


class Ssh(Written):
    """How to reach a host; what is not written is as `~/.ssh/config` has it."""

    example = "{user: ubuntu}"
    user: Annotated[str, BeforeValidator(values.user), WithJsonSchema(forms.USER)] | None = Field(
        default=None, description="The user to log in as."
    )
    port: Port | None = Field(default=None, description="The port of the SSH server.")
    key: Text | None = Field(
        default=None, description="A private key's file on this machine; ~ is your home."
    )
    jump: Annotated[str, BeforeValidator(addresses.jump), WithJsonSchema(forms.JUMP)] | None = Field(
        default=None, description="A host to go through, [user@]host[:port], as in ProxyJump."
    )
    host_keys: Annotated[HostKeys, BeforeValidator(values.choice(HostKeys))] | None = Field(
        default=None,
        description="Unknown host keys are refused (strict, the default) or recorded (accept-new).",
    )
    connect_timeout: (
        Annotated[float, BeforeValidator(values.seconds), WithJsonSchema(forms.SECONDS)] | None
    ) = Field(default=None, description="Seconds to wait for a connection; 10 if not given.")


class Docker(Written):
    """How containers are run."""

    example = "{shm_size: 32g}"
    command: Annotated[str, BeforeValidator(values.command), WithJsonSchema(forms.COMMAND)] | None = Field(
        default=None, description='The command, such as "sudo -n docker" or "podman"; docker if not given.'
    )
    gpus: Text | None = Field(
        default=None,
        description="Docker's --gpus, such as all (the default), 4 or device=0,1; for accelerator nvidia.",
    )
    shm_size: Annotated[str, BeforeValidator(values.shm_size), WithJsonSchema(forms.SIZE)] | None = Field(
        default=None, description="The size of /dev/shm; 10.24g if not given."
    )
    restart: Annotated[str, BeforeValidator(values.restart), WithJsonSchema(forms.RESTART)] | None = Field(
        default=None,
        description="no, always, unless-stopped (the default), on-failure or on-failure:N.",
    )
    pull: Annotated[Pull, BeforeValidator(values.choice(Pull))] | None = Field(
        default=None, description="When the image is pulled: missing (the default), always or never."
    )
    args: tuple[DockerArgument, ...] | None = Field(
        default=None,
        description="Further arguments of docker run, one item each; a host's come after the cluster's.",
    )


class HostRay(Written):
    """What a host may say of Ray for itself."""

    example = "{num_gpus: 4}"
    args: tuple[RayArgument, ...] | None = Field(
        default=None,
        description="Further arguments of ray start, one item each; a host's come after the cluster's.",
    )
    num_gpus: Gpus | None = Field(
        default=None, description="How many GPUs Ray is told of; as many as Ray finds if not given."
    )


class Ray(HostRay):
    """Ray, for the whole cluster."""

    example = "{port: 6379}"
    port: Port | None = Field(
        default=None, description="The port of Ray's GCS on the head; 6379 if not given."
    )
    ports: Annotated[Ports, BeforeValidator(values.choice(Ports))] | None = Field(
        default=None,
        description="random (the default): Ray takes free ports; pinned: the ten from ray.port on.",
    )
    auth: Annotated[Auth, BeforeValidator(values.choice(Auth))] | None = Field(
        default=None,
        description="Token authentication: token, disabled or auto (the default: token where Ray has it).",
    )
    install: Text | None = Field(
        default=None, description='A pip requirement for images without Ray, such as "ray[default]==2.56.*".'
    )


class Serve(Written):
    """The model that the cluster is for."""

    example = "{model: Qwen/Qwen3-32B}"
    model: Text = Field(description="A model's name on Hugging Face, or its folder in the containers.")
    args: tuple[VllmArgument, ...] | None = Field(
        default=None, description="Further arguments of vllm serve, one item each."
    )


class _Shared(Written):
    """What may be written for the whole cluster and for a host; the host's own is merged in."""

    ssh: Ssh | None = Field(default=None, description="How to reach the hosts.")
    docker: Docker | None = Field(default=None, description="How containers are run.")
    env: dict[Variable, Value] | None = Field(
        default=None, description="Environment variables of the containers."
    )
    hf_home: Annotated[str, BeforeValidator(values.hf_home), WithJsonSchema(forms.HF_HOME)] | None = Field(
        default=None,
        description="The folder on the host for Hugging Face downloads; ~/.cache/huggingface if not given.",
    )
    accelerator: Annotated[Accelerator, BeforeValidator(values.choice(Accelerator))] | None = Field(
        default=None, description="The kind of device: nvidia (the default), amd, intel, ascend or none."
    )
    rdma: Annotated[Rdma, BeforeValidator(values.choice(Rdma))] | None = Field(
        default=None,
        description="InfiniBand devices for the containers: auto (where there are any), on or off.",
    )


class Host(_Shared):
    """One machine, or a range of them."""

    example = "{host: gpu1.example.com, ip: 10.0.0.1}"
    host: Annotated[str, BeforeValidator(addresses.host), WithJsonSchema(forms.HOST)] = Field(
        description="Where to SSH: a name or an address; gpu[2-9] stands for eight workers, local for this machine."
    )
    ip: Annotated[str, BeforeValidator(addresses.ip), WithJsonSchema(forms.IP)] | None = Field(
        default=None,
        description="The address the hosts reach each other at: VLLM_HOST_IP and Ray's node address.",
    )
    name: Annotated[str, BeforeValidator(addresses.name), WithJsonSchema(forms.NAME)] | None = Field(
        default=None,
        description="What the host is called here and in its container's name; host if not given.",
    )
    ray: HostRay | None = Field(default=None, description="Ray on this host.")


class Image(Written):
    """The image, and how hosts come by it."""

    example = "{from: vllm/vllm-openai:v0.18.0, build_on: head}"
    from_: Reference = Field(alias="from", description="The Docker image, with tag or digest.")
    build_on: Annotated[BuildOn, BeforeValidator(values.choice(BuildOn))] | None = Field(
        default=None,
        description="Where ray.install is added to it: on each host (the default), or on the head, "
        "which gives it to the others.",
    )


def _text_or_map(written: object) -> Literal["text", "map"]:
    return "map" if isinstance(written, dict | Image) else "text"


class Inventory(_Shared):
    """A file: one cluster."""

    example = "{cluster: demo, image: ..., head: {...}}"
    cluster: Annotated[str, BeforeValidator(values.cluster_name), WithJsonSchema(forms.CLUSTER)] = Field(
        description="The cluster's name; in the names and labels of its containers."
    )
    image: Annotated[
        Annotated[Reference, Tag("text")] | Annotated[Image, Tag("map")], Discriminator(_text_or_map)
    ] = Field(description="The Docker image, with tag or digest; or a map of it and where it is built.")
    head: Host = Field(description="The machine that the others join.")
    workers: Annotated[tuple[Host, ...], BeforeValidator(ranges.few_enough)] | None = Field(
        default=None, description="The other machines."
    )
    network: Annotated[str, BeforeValidator(addresses.network), WithJsonSchema(forms.NETWORK)] | None = Field(
        default=None,
        description="A network such as 10.0.0.0/24; a host without ip uses its one address in it.",
    )
    secrets: tuple[Variable, ...] | None = Field(
        default=None,
        description="Variables of your own environment, given to the containers and shown nowhere.",
        json_schema_extra={"uniqueItems": True},
    )
    engine: Annotated[Engine, BeforeValidator(values.choice(Engine))] | None = Field(
        default=None,
        description="What joins the machines for vLLM: ray (the default), or mp, vLLM's own multi-node mode.",
    )
    ray: Ray | None = Field(default=None, description="Ray, on all hosts.")
    serve: Serve | None = Field(default=None, description="The model that up --serve brings up.")

    def hosts(self) -> Iterator[tuple[Path, Host]]:
        """Every host, and where it is written."""
        yield ("head",), self.head
        yield from ((("workers", i), worker) for i, worker in enumerate(self.workers or ()))


def validate(data: object) -> Inventory | list[Error]:
    """The inventory, or what is wrong with its parts, in pydantic's terms."""
    try:
        return Inventory.model_validate(data)
    except ValidationError as error:
        return [dict(each) | {"loc": _as_written(each["loc"])} for each in error.errors(include_url=False)]


def _as_written(path: Path) -> Path:
    """Without the word by which pydantic tells the two forms of `image` apart."""
    return (*path[:1], *path[2:]) if path[:1] == ("image",) else path
