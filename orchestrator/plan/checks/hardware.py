"""What the second look at a host tells: Docker, the hardware, room, and who else is there."""

from orchestrator.model.cluster import Accelerator, Cluster, Node, Pull, Rdma
from orchestrator.plan.actions.images import builds
from orchestrator.plan.checks.finding import GIB, Finding, Findings, failure, gib, ok, release, warning
from orchestrator.plan.facts.host import DockerTrouble, HostFacts
from orchestrator.plan.facts.inspection import Engine, Hardware, Inspection
from orchestrator.plan.facts.probe import NoTrial, Trial
from orchestrator.plan.remedies import NO_DRIVER, NO_IMAGE, NO_TOOLKIT, OTHER_DRIVER

OLDEST_ENGINE = (19, 3)
"""The first with `--gpus`."""

IMAGE_ROOM = 30 * GIB
"""A vLLM image is 10 GiB to pull, and twice that while it is unpacked."""

CONTAINER_ROOM = 2 * GIB
"""For Ray's logs and spilled objects, which land in the container's layer."""


def inspected(
    cluster: Cluster, node: Node, facts: HostFacts, found: Inspection, trial: Trial | NoTrial | None = None
) -> Findings:
    """Everything that the second look tells of one host. What a container sees needs no explanation from it."""
    if isinstance(facts.docker, DockerTrouble):
        if found.sudo_docker:
            told = "Docker answers there to `sudo -n docker`"
            yield ok(node.name, "docker", told, "set `docker: {command: sudo -n docker}` for it")
        return
    if found.engine:
        yield from _engine(node, facts, found.engine)
    yield from _image(cluster, node, facts, found)
    if not (isinstance(trial, Trial) and trial.gpus and not trial.gpu_trouble):
        yield from _accelerator(node, found.hardware, facts.machine.missing if facts.machine else ())
    yield from _rdma(node, facts, found.hardware)
    yield from _neighbours(cluster, node, found)


def _engine(node: Node, facts: HostFacts, engine: Engine) -> Findings:
    told = f"Engine {engine.version}, {engine.architecture}"
    if () < release(engine.version) < OLDEST_ENGINE:
        yield failure(
            node.name, "docker", f"{told} has no --gpus", "install a Docker Engine of 19.03 or later"
        )
    else:
        yield ok(node.name, "docker", told)
    wanted = CONTAINER_ROOM if facts.image_id else IMAGE_ROOM
    if engine.free is not None and engine.free < wanted:
        why = "containers write there" if facts.image_id else "the image has to go there"
        told = f"only {gib(engine.free)} are free in {engine.root}, and {why}"
        yield warning(
            node.name, "disk", told, "docker system prune; or move Docker's data-root to a larger disk"
        )
    elif engine.free is not None:
        yield ok(node.name, "disk", f"{engine.root} has room")


def _image(cluster: Cluster, node: Node, facts: HostFacts, found: Inspection) -> Findings:
    install = cluster.ray.install
    image = f"{cluster.image} with {install}" if install else cluster.image
    if facts.image_id:
        yield ok(node.name, "image", f"{image} is there ({facts.image_id.removeprefix('sha256:')[:12]})")
    elif install:
        will = "build it" if builds(cluster, node) else f"copy it from {cluster.head.name}"
        told = f"{image} is not there; `up` will {will}, and what is in it cannot be told before"
        yield warning(node.name, "image", told, "after `up`, `raycluster check` tells more")
    elif node.docker.pull is not Pull.NEVER:
        yield _absent(node, image, found.pullable or "")


def _absent(node: Node, image: str, refusal: str) -> Finding:
    """An image that `up` will pull. `refusal`: what the registry tells Docker's client.

    No more than a warning: the daemon, which pulls, may know a mirror or a proxy that its client does not.
    """
    if refusal:
        told = f"{image} is not there, and whether it can be pulled is in doubt: {refusal.splitlines()[-1]}"
        return warning(node.name, "image", told, NO_IMAGE)
    told = f"{image} is not there; `up` will pull it, and what is in it cannot be told before"
    return warning(node.name, "image", told, f"{' '.join(node.docker.command)} pull {image}")


def _accelerator(node: Node, hardware: Hardware, missing: tuple[str, ...]) -> Findings:
    """`missing`: device files without which nothing starts there, which has been told."""
    match node.accelerator:
        case Accelerator.NVIDIA:
            yield from _nvidia(node, hardware)
        case Accelerator.NONE if hardware.nvidia_cards:
            told = f"has {_many(hardware.nvidia_cards, 'NVIDIA card')}, and `accelerator` is none"
            yield warning(node.name, "gpus", told, "set `accelerator: nvidia`")
        case Accelerator.AMD | Accelerator.INTEL | Accelerator.ASCEND as kind if not missing:
            count = {"amd": hardware.amd, "intel": hardware.intel, "ascend": hardware.ascend}[kind]
            yield from _other(node, kind, count)


def _nvidia(node: Node, hardware: Hardware) -> Findings:
    """Card, driver, toolkit: each is of no use without the one before."""
    if not hardware.nvidia_driver:
        cards = _many(hardware.nvidia_cards, "NVIDIA card") if hardware.nvidia_cards else "no NVIDIA card"
        yield failure(node.name, "gpus", f"there is no NVIDIA driver on it ({cards} on its bus)", NO_DRIVER)
    elif not hardware.nvidia_usable:
        yield failure(
            node.name, "gpus", f"driver {hardware.nvidia_driver}, but nvidia-smi lists no GPU", NO_DRIVER
        )
    else:
        told = f"driver {hardware.nvidia_driver} lists {_many(hardware.nvidia_usable, 'GPU')}"
        yield ok(node.name, "gpus", told)
    if not hardware.nvidia_toolkit:
        told = "the NVIDIA container toolkit is not there"
        yield (failure if hardware.nvidia_driver else warning)(node.name, "gpus", told, NO_TOOLKIT)


def _other(node: Node, kind: str, count: int) -> Findings:
    if count:
        yield ok(node.name, "gpus", f"{_many(count, f'{kind} device')} on it")
    else:
        told = f"`accelerator` is {kind}, and there is no such device on it"
        yield failure(node.name, "gpus", told, OTHER_DRIVER)


def _rdma(node: Node, facts: HostFacts, hardware: Hardware) -> Findings:
    if hardware.infiniband and not facts.infiniband and node.rdma is not Rdma.OFF:
        told = f"has {', '.join(hardware.infiniband)}, but no /dev/infiniband to give to containers"
        yield warning(node.name, "rdma", told, "sudo modprobe ib_uverbs rdma_ucm")


def _neighbours(cluster: Cluster, node: Node, found: Inspection) -> Findings:
    for other in found.neighbours:
        runs_ray = other.cluster or "ray start" in other.command
        if other.running and runs_ray and other.cluster != cluster.name:
            whose = f"of cluster {other.cluster}" if other.cluster else "by hand, as run_cluster.sh does"
            told = f"{other.name} runs Ray there too, {whose}: they share its GPUs and memory"
            yield warning(node.name, "containers", told, "stop one of them, if that is not meant")


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
