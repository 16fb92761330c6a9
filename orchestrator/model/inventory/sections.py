"""The maps of the inventory: what may stand under `ssh`, `docker`, `ray`, `image` and `serve`."""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from orchestrator.model.cluster import Auth, BuildOn, HostKeys, Ports, Pull
from orchestrator.model.inventory import addresses, arguments, editor_types, image_reference, values

Text = Annotated[str, BeforeValidator(values.text), WithJsonSchema(editor_types.TEXT)]
Port = Annotated[int, BeforeValidator(values.port), WithJsonSchema(editor_types.PORT)]
Gpus = Annotated[int, BeforeValidator(values.whole(0)), WithJsonSchema(editor_types.GPUS)]
Variable = Annotated[str, BeforeValidator(values.variable), WithJsonSchema(editor_types.VARIABLE)]
Value = Annotated[str, BeforeValidator(values.variable_value), WithJsonSchema(editor_types.ANYTHING)]
DockerArgument = Annotated[
    str, BeforeValidator(arguments.docker), WithJsonSchema(editor_types.DOCKER_ARGUMENT)
]
VllmArgument = Annotated[str, BeforeValidator(arguments.vllm), WithJsonSchema(editor_types.VLLM_ARGUMENT)]
RayArgument = Annotated[str, BeforeValidator(arguments.ray), WithJsonSchema(editor_types.RAY_ARGUMENT)]
Reference = Annotated[str, BeforeValidator(image_reference.image), WithJsonSchema(editor_types.IMAGE)]


class Written(BaseModel):
    """A map of the file. `example` is what to show a user who wrote something else in its place."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)
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
    user: Annotated[str, BeforeValidator(values.user), WithJsonSchema(editor_types.USER)] | None = Field(
        default=None, description="The user to log in as."
    )
    port: Port | None = Field(default=None, description="The port of the SSH server.")
    key: Text | None = Field(
        default=None, description="A private key's file on this machine; ~ is your home."
    )
    jump: Annotated[str, BeforeValidator(addresses.jump), WithJsonSchema(editor_types.JUMP)] | None = Field(
        default=None, description="A host to go through, [user@]host[:port], as in ProxyJump."
    )
    host_keys: Annotated[HostKeys, BeforeValidator(values.choice(HostKeys))] | None = Field(
        default=None,
        description="Unknown host keys are refused (strict, the default) or recorded (accept-new).",
    )
    connect_timeout: (
        Annotated[float, BeforeValidator(values.seconds), WithJsonSchema(editor_types.SECONDS)] | None
    ) = Field(default=None, description="Seconds to wait for a connection; 10 if not given.")


class Docker(Written):
    """How containers are run."""

    example = "{shm_size: 32g}"
    command: Annotated[str, BeforeValidator(values.command), WithJsonSchema(editor_types.COMMAND)] | None = (
        Field(
            default=None,
            description='The command, such as "sudo -n docker" or "podman"; docker if not given.',
        )
    )
    gpus: Text | None = Field(
        default=None,
        description="Docker's --gpus, such as all (the default), 4 or device=0,1; for accelerator nvidia.",
    )
    shm_size: Annotated[str, BeforeValidator(values.shm_size), WithJsonSchema(editor_types.SIZE)] | None = (
        Field(default=None, description="The size of /dev/shm; 10.24g if not given.")
    )
    restart: Annotated[str, BeforeValidator(values.restart), WithJsonSchema(editor_types.RESTART)] | None = (
        Field(
            default=None,
            description="no, always, unless-stopped (the default), on-failure or on-failure:N.",
        )
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


class Image(Written):
    """The image, and how hosts come by it."""

    example = "{from: vllm/vllm-openai:v0.18.0, build_on: head}"
    from_: Reference = Field(alias="from", description="The Docker image, with tag or digest.")
    build_on: Annotated[BuildOn, BeforeValidator(values.choice(BuildOn))] | None = Field(
        default=None,
        description="Where ray.install is added to it: on each host (the default), or on the head, "
        "which gives it to the others.",
    )
