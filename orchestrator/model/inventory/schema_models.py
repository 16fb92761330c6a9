"""What a user may write. Nothing is filled in or merged here: what is not written is None."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    WithJsonSchema,
)

from orchestrator.model.cluster import Accelerator, Engine, Rdma
from orchestrator.model.inventory import addresses, editor_types, ranges, values
from orchestrator.model.inventory.mistakes import Path
from orchestrator.model.inventory.sections import (
    Docker,
    HostRay,
    Image,
    Ray,
    Reference,
    Serve,
    Ssh,
    Value,
    Variable,
    Written,
)

Error = dict[str, Any]


def _few_enough(workers: object) -> object:
    """Counted before anything is expanded: a range is a few characters, whatever it stands for."""
    total = sum(map(_count, workers)) if isinstance(workers, list) else 0
    if total > ranges.MOST:
        raise ValueError(f"stands for {total:,} hosts; a cluster has at most {ranges.MOST:,}")
    return workers


def _count(worker: object) -> int:
    host = worker.get("host") if isinstance(worker, dict) else None
    return ranges.count(host) if isinstance(host, str) else 1


class _Shared(Written):
    """What may be written for the whole cluster and for a host; the host's own is merged in."""

    ssh: Ssh | None = Field(default=None, description="How to reach the hosts.")
    docker: Docker | None = Field(default=None, description="How containers are run.")
    env: dict[Variable, Value] | None = Field(
        default=None, description="Environment variables of the containers."
    )
    hf_home: Annotated[str, BeforeValidator(values.hf_home), WithJsonSchema(editor_types.HF_HOME)] | None = (
        Field(
            default=None,
            description="The folder on the host for Hugging Face downloads; ~/.cache/huggingface if not given.",
        )
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
    host: Annotated[str, BeforeValidator(addresses.host), WithJsonSchema(editor_types.HOST)] = Field(
        description="Where to SSH: a name or an address; gpu[2-9] stands for eight workers, local for this machine."
    )
    ip: Annotated[str, BeforeValidator(addresses.ip), WithJsonSchema(editor_types.IP)] | None = Field(
        default=None,
        description="The address the hosts reach each other at: VLLM_HOST_IP and Ray's node address.",
    )
    name: Annotated[str, BeforeValidator(addresses.name), WithJsonSchema(editor_types.NAME)] | None = Field(
        default=None,
        description="What the host is called here and in its container's name; host if not given.",
    )
    ray: HostRay | None = Field(default=None, description="Ray on this host.")


def _text_or_map(written: object) -> Literal["text", "map"]:
    return "map" if isinstance(written, dict | Image) else "text"


class Inventory(_Shared):
    """A file: one cluster."""

    example = "{cluster: demo, image: ..., head: {...}}"
    cluster: Annotated[str, BeforeValidator(values.cluster_name), WithJsonSchema(editor_types.CLUSTER)] = (
        Field(description="The cluster's name; in the names and labels of its containers.")
    )
    image: Annotated[
        Annotated[Reference, Tag("text")] | Annotated[Image, Tag("map")], Discriminator(_text_or_map)
    ] = Field(description="The Docker image, with tag or digest; or a map of it and where it is built.")
    head: Host = Field(description="The machine that the others join.")
    workers: Annotated[tuple[Host, ...], BeforeValidator(_few_enough)] | None = Field(
        default=None, description="The other machines."
    )
    network: (
        Annotated[str, BeforeValidator(addresses.network), WithJsonSchema(editor_types.NETWORK)] | None
    ) = Field(
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
