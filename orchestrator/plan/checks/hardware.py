"""What `check` alone inspects of a host: Docker's own report, GPUs, devices, disks, and who else is there."""

import re
from collections.abc import Iterator

from orchestrator.model import gpu_request
from orchestrator.model.cluster import Accelerator, Cluster, Node, Pull, Rdma
from orchestrator.plan.checks.finding import GIB, Findings, failure, gib, ok, release, warning
from orchestrator.plan.facts.derived_image import builds, from_head
from orchestrator.plan.facts.docker_engine import Engine, Maker
from orchestrator.plan.facts.host import HostFacts
from orchestrator.plan.facts.inspection import Hardware, Inspection
from orchestrator.plan.facts.probe import Trial
from orchestrator.plan.problem import Problem, headline, plural
from orchestrator.plan.remedies import NO_CDI, NO_DRIVER, NO_IMAGE, NO_TOOLKIT, OTHER_DRIVER, hint
from orchestrator.plan.typed import add, change, ours, there

OLDEST_ENGINE = (19, 3)
"""The first with `--gpus`."""

FIRST_WITH_GPUS_BY_CDI = (29, 2)
"""The first whose --gpus makes use of CDI: daemon/devices_nvidia_linux.go in moby."""

GPU = re.compile(r"nvidia\.com/gpu=")
BY_RUNTIME = " and ".join(
    (
        change("docker.gpus", "none"),
        add("docker.args", "--runtime=nvidia", "-e", "NVIDIA_VISIBLE_DEVICES=all"),
    )
)
BY_DEVICE = f"{change('docker.gpus', 'none')} and {add('docker.args', '--device=nvidia.com/gpu=all')}"
FIRST_PODMAN_WITH_GPUS = (5,)
"""4.3 takes no notice of --gpus; from 5.0 on it is CDI's: pkg/specgenutil/specgen.go."""
SET_CDI = change("docker.gpus", f"'{gpu_request.CDI}'")

IMAGE_ROOM = 30 * GIB
"""A vLLM image is 10 GiB to pull, and twice that while it is unpacked."""

MORE_ROOM = {
    Maker.DOCKER: f"{there('docker system prune')}; or move Docker's data-root to a larger disk",
    Maker.PODMAN: f"{there('podman system prune')}; or move `graphroot` of storage.conf to a larger disk",
}

CONTAINER_ROOM = 2 * GIB
"""For Ray's logs and spilled objects, which land in the container's layer."""


def check_hardware(
    cluster: Cluster, node: Node, facts: HostFacts, found: Inspection, trial: Trial | Problem | None = None
) -> Findings:
    """Everything that the second inspection shows of one host. What a container sees needs no explanation from it."""
    if isinstance(facts.docker, Problem):
        if found.sudo_docker:
            fix = change("docker.command", "sudo -n docker")
            yield ok(node.name, "docker", "Docker answers there to `sudo -n docker`", fix)
        return
    if found.engine and found.engine.version:
        yield from _engine(node, facts, found.engine)
    yield from _image(cluster, node, facts, found)
    if not (isinstance(trial, Trial) and trial.gpus and not trial.gpu_trouble):
        yield from _accelerator(node, found, facts.machine.missing if facts.machine else ())
    if found.hardware.infiniband and not facts.infiniband and node.rdma is not Rdma.OFF:
        text = f"has {', '.join(found.hardware.infiniband)}, but no /dev/infiniband to give to containers"
        yield warning(node.name, "rdma", text, there("sudo modprobe ib_uverbs rdma_ucm"))
    yield from _neighbours(cluster, node, found)


def _engine(node: Node, facts: HostFacts, engine: Engine) -> Findings:
    text = f"{engine.maker} {engine.version}, {engine.architecture}"
    if engine.maker is Maker.DOCKER and () < release(engine.version) < OLDEST_ENGINE:
        fix = "install a Docker Engine of 19.03 or later"
        yield failure(node.name, "docker", f"{text} has no --gpus", fix)
    else:
        yield ok(node.name, "docker", text)
    wanted = CONTAINER_ROOM if facts.image_id else IMAGE_ROOM
    if engine.free is not None and engine.free < wanted:
        why = "containers write there" if facts.image_id else "the image has to go there"
        text = f"only {gib(engine.free)} are free in {engine.root}, and {why}"
        fix = MORE_ROOM[engine.maker]
        yield warning(node.name, "disk", text, fix)
    elif engine.free is not None:
        yield ok(node.name, "disk", f"{engine.root} has room")


def _image(cluster: Cluster, node: Node, facts: HostFacts, found: Inspection) -> Findings:
    """No more than a warning: the daemon, which pulls, may know a mirror or a proxy that its client does not."""
    install = cluster.ray.install
    image = f"{cluster.image} with {install}" if install else cluster.image
    if facts.image_id:
        yield ok(node.name, "image", f"{image} is there ({facts.image_id.removeprefix('sha256:')[:12]})")
    elif install or from_head(cluster, node):
        will = "build it" if builds(cluster, node) else f"copy it from {cluster.head.name}"
        text = f"{image} is not there; `up` will {will}, and what is in it cannot be told before"
        yield warning(node.name, "image", text, f"after {ours('up')}, {ours('check')} tells more")
    elif node.docker.pull is not Pull.NEVER and found.pullable:
        text = f"{image} is not there, and pulling it may fail: {headline(found.pullable)}"
        yield warning(node.name, "image", text, hint(found.pullable) or NO_IMAGE)
    elif node.docker.pull is not Pull.NEVER:
        text = f"{image} is not there; `up` will pull it, and what is in it cannot be told before"
        yield warning(node.name, "image", text, ours("pull", limit=True))


def _accelerator(node: Node, found: Inspection, missing: tuple[str, ...]) -> Findings:
    """`missing`: device files without which nothing starts there, which `check_startable` reports."""
    hardware = found.hardware
    match node.accelerator:
        case Accelerator.NVIDIA:
            yield from _nvidia(node, hardware)
            yield from _toolkit(node, hardware, found.engine)
        case Accelerator.NONE if hardware.nvidia_cards:
            text = f"has {plural(hardware.nvidia_cards, 'NVIDIA card')}, and `accelerator` is none"
            yield warning(node.name, "gpus", text, change("accelerator", "nvidia"))
        case Accelerator.NONE:
            pass
        case kind if count := hardware.count(kind):
            yield ok(node.name, "gpus", f"{plural(count, f'{kind} device')} on it")
        case kind if not missing:
            text = f"`accelerator` is {kind}, and there is no such device on it"
            yield failure(node.name, "gpus", text, OTHER_DRIVER)


def _nvidia(node: Node, hardware: Hardware) -> Findings:
    """Card, driver, toolkit: each is of no use without the one before."""
    if not hardware.nvidia_driver:
        cards = plural(hardware.nvidia_cards, "NVIDIA card") if hardware.nvidia_cards else "no NVIDIA card"
        yield failure(node.name, "gpus", f"there is no NVIDIA driver on it ({cards} on its bus)", NO_DRIVER)
    elif not hardware.nvidia_usable:
        text = f"driver {hardware.nvidia_driver}, but nvidia-smi lists no GPU"
        said = f": {hardware.nvidia_trouble}" if hardware.nvidia_trouble else ""
        yield failure(node.name, "gpus", text + said, hint(said) or NO_DRIVER)
    else:
        text = f"driver {hardware.nvidia_driver} lists {plural(hardware.nvidia_usable, 'GPU')}"
        yield ok(node.name, "gpus", text)


def _toolkit(node: Node, hardware: Hardware, engine: Engine | None) -> Findings:
    """What gives containers the GPUs: --gpus wants a program of the toolkit; there are CDI and a runtime, too."""
    level, asks = failure if hardware.nvidia_driver else warning, node.docker.gpus
    version = release(engine.version) if engine else ()
    if engine and engine.maker is Maker.PODMAN:
        if asks != gpu_request.NONE:
            yield from (level(node.name, "gpus", *each) for each in _without_gpus(hardware, version))
        return
    by_cdi = bool(hardware.nvidia_cdi or (engine and any(map(GPU.match, engine.devices))))
    if not hardware.nvidia_toolkit and not by_cdi:
        yield level(node.name, "gpus", "the NVIDIA container toolkit is not there", NO_TOOLKIT)
    if not (engine and version and hardware.nvidia_toolkit) and not by_cdi:
        return
    if asks == gpu_request.NONE or "driver=cdi" in asks or hardware.nvidia_hook:
        return
    if by_cdi and not (hardware.nvidia_cdi_hook and version >= FIRST_WITH_GPUS_BY_CDI):
        text = "its Docker may know the GPUs by CDI, but its --gpus wants the hook of NVIDIA's toolkit"
        yield level(node.name, "gpus", text, SET_CDI)
    elif engine and not by_cdi and "nvidia" in engine.runtimes:
        text = "its Docker has NVIDIA's runtime, but its --gpus wants the hook of NVIDIA's toolkit"
        yield level(node.name, "gpus", text, BY_RUNTIME)
    elif not by_cdi:
        text = f"there is {hardware.nvidia_toolkit}, but not the hook that --gpus wants"
        yield level(node.name, "gpus", text, NO_TOOLKIT)


def _without_gpus(hardware: Hardware, podman: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    """Why Podman's --gpus gives containers none, and what does."""
    if not hardware.nvidia_cdi:
        install = "" if hardware.nvidia_toolkit else "install the NVIDIA container toolkit there, then "
        yield "no GPU is described there by CDI, which Podman's --gpus goes by", f"{install}{NO_CDI}"
    elif () < podman < FIRST_PODMAN_WITH_GPUS:
        yield "its Podman takes no notice of --gpus", BY_DEVICE


def _neighbours(cluster: Cluster, node: Node, found: Inspection) -> Findings:
    for other in found.neighbours:
        runs_ray = other.cluster or "ray start" in other.command
        if other.running and runs_ray and other.cluster != cluster.name:
            whose = f"of cluster {other.cluster}" if other.cluster else "by hand, as run_cluster.sh does"
            text = f"{other.name} runs Ray there too, {whose}: they share its GPUs and memory"
            yield warning(node.name, "containers", text, "stop one of them, if that is not meant")
