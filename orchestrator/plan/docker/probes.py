"""Probes: lines that inspect a host and change nothing there; a probe's container is gone when it ends."""

from orchestrator import payload
from orchestrator.model.cluster import Accelerator, Cluster, Node
from orchestrator.plan import devices, engine, scripts
from orchestrator.plan.command import Command, Script
from orchestrator.plan.docker.images import image
from orchestrator.plan.docker.inside import BASH, FIND_PYTHON, entrypoint, first, inside, python, text_inside
from orchestrator.plan.docker.mounts import hf_home_target
from orchestrator.plan.docker.run import device_files, found_inside
from orchestrator.plan.facts import scripts as look_scripts
from orchestrator.plan.facts.address import NodeAddress
from orchestrator.plan.facts.host import Depth
from orchestrator.plan.scripts import program, scripted
from orchestrator.plan.status import watch_script


def observe(cluster: Cluster, node: Node, gcs: str, depth: Depth) -> Command:
    """Inspects everything that matters on a host; `facts.parse` reads it. `gcs`: where to ask Ray, or empty."""
    keeps = node in engine.of(cluster).supervisors(cluster)
    asked = (
        cluster.name,
        node.name,
        cluster.container(node),
        image(cluster) if depth > Depth.CONTAINERS else "",
        node.hf_home if depth is Depth.MACHINE else "",
        gcs,
        program("ray_nodes") if gcs else "",
        payload.SUPERVISOR if keeps else "",
        cluster.image if cluster.ray.install and depth > Depth.CONTAINERS else "",
        " ".join(device_files((*devices.kind(node).docker, *node.docker.args))),
        text_inside(node, FIND_PYTHON) if gcs or keeps else "",
    )
    return scripted(look_scripts.OBSERVE, "observe", node, *asked)


def ask_ray(cluster: Cluster, gcs: str) -> Command:
    """Ray's node table alone, from inside the head's container; `facts.parse` reads it."""
    asked = (
        cluster.container(cluster.head),
        program("ray_nodes"),
        gcs,
        text_inside(cluster.head, FIND_PYTHON),
    )
    return scripted(look_scripts.RAY, "ask-ray", cluster.head, *asked)


def watch(cluster: Cluster, node: Node, since: float) -> Command:
    """Prints events of the host's containers from `since` on, by its clock; `status.snapshot` reads them.

    Also the numbers of NVIDIA's GPUs: of those in the node's container, or of the host's where none runs.
    """
    gpus = watch_script.GPUS if node.accelerator is Accelerator.NVIDIA else ""
    asked = (cluster.name, cluster.container(node), f"{since:.0f}", gpus)
    return scripted(watch_script.WATCH, "watch", node, *asked, interpreter="bash")


def inspect(cluster: Cluster, node: Node, *, ask_registry: bool) -> Command:
    """Inspects the host further; `facts.inspection` reads it. `ask_registry`: whether the image could be pulled."""
    asked = (image(cluster), "yes" if ask_registry else "")
    return scripted(look_scripts.INSPECT, "inspect", node, *asked)


def run_probe(
    cluster: Cluster, node: Node, place: NodeAddress, folder: str, ports: tuple[int, ...]
) -> Command:
    """A container as the node's own would be, that reports what is in it and listens; `facts.probe` reads it.

    `folder`: the one for Hugging Face, empty where it is not there: Docker would make it.
    """
    target = hf_home_target(node)
    mounts = (part for to in (target, payload.TRIAL_HF_HOME) for part in ("-v", f"{folder}:{to}") if folder)
    given = (*mounts, *found_inside(cluster, node, place))
    words = (program("probe"), "look", node.accelerator, place.ip, target, *map(str, ports))
    return _container(cluster, node, _probe_name(cluster, node), given, words)


VERSIONS = Script(
    "versions",
    """\
import importlib.metadata, json, platform
print(json.dumps({"ray": importlib.metadata.version("ray"), "python": platform.python_version()}))
""",
)


def versions(cluster: Cluster, node: Node) -> Command:
    """Which Ray and Python the node's container would have; `facts.probe.parse_versions` reads it."""
    name = f"rayversions-{cluster.name}-{node.name}"
    given = (*(part for name, value in node.env for part in ("-e", f"{name}={value}")), *node.docker.args)
    return _container(cluster, node, name, given, (VERSIONS,))


def run_network_test(cluster: Cluster, node: Node, place: NodeAddress, words: tuple[str, ...]) -> Command:
    """The same for a rank of the deep check, `words` being its arguments; `facts.network_test` reads it."""
    name = f"raydeep-{cluster.name}-{node.name}"
    return _container(
        cluster, node, name, found_inside(cluster, node, place), (program("network_test"), *words)
    )


def try_entrypoint(cluster: Cluster, node: Node, place: NodeAddress) -> Command:
    """Runs the image once with its own entrypoint in front, cut off from all networks; `facts.probe` reads what is set.

    Such an entrypoint may begin a server, whatever it is told: it is given a quarter of a minute, and removed.
    """
    options = ("--label", "raycluster.trial", "--network", "none", *found_inside(cluster, node, place))
    words = (image(cluster), BASH, "-c", FIND_PYTHON, "python3", "-c", program("probe"), "variables")
    name = f"rayentry-{cluster.name}-{node.name}"
    return scripted(scripts.TRY_ENTRYPOINT, "entrypoint", node, name, *options, *words)


def end_trial(cluster: Cluster, node: Node) -> Command:
    """Removes the node's probe, where its first process does not end with standard input."""
    return scripted(scripts.END_TRIAL, "end-trial", node, _probe_name(cluster, node))


def check_tcp(cluster: Cluster, node: Node, addresses: tuple[str, ...]) -> Command:
    """Tries connections from inside the node's probe; `facts.probe` reads it."""
    return inside(node, _probe_name(cluster, node), python("-c", program("probe"), "reach", *addresses))


def _container(
    cluster: Cluster, node: Node, name: str, given: tuple[str, ...], words: tuple[str, ...]
) -> Command:
    """A container that runs a program of ours until standard input ends, and is gone then."""
    options = ("--rm", "--interactive", "--label", "raycluster.trial", "--network", "host", *given)
    begun = first(node, image(cluster), FIND_PYTHON, "python3", "-c", *words)
    return scripted(scripts.TRIAL, "trial", node, name, *options, "--tty=false", *entrypoint(node), *begun)


def _probe_name(cluster: Cluster, node: Node) -> str:
    return f"raytrial-{cluster.name}-{node.name}"
