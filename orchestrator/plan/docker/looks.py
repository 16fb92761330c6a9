"""Lines that look at a host and change nothing there; a trial's container is gone when it ends."""

from orchestrator.model.cluster import Accelerator, Cluster, Node, Role
from orchestrator.plan import ray, scripts, watch_script
from orchestrator.plan import trial as trials
from orchestrator.plan.command import Command
from orchestrator.plan.docker.images import image
from orchestrator.plan.docker.scripted import scripted
from orchestrator.plan.docker.start import HF_HOME, Place, found_inside
from orchestrator.plan.serving import inside


def observe(cluster: Cluster, node: Node, gcs: str) -> Command:
    """One look at everything that matters on a host; `probes` reads it. `gcs`: whom to ask, or empty."""
    asked = (
        cluster.name,
        node.name,
        cluster.container(node),
        image(cluster),
        node.hf_home,
        gcs,
        ray.node_table_script() if gcs else "",
        inside.KEEPER if node.role is Role.HEAD else "",
        cluster.image if cluster.ray.install else "",
    )
    return scripted(scripts.OBSERVE, "observe", node, *asked)


def watch(cluster: Cluster, node: Node, since: float) -> Command:
    """Tells what happens to the host's containers from `since` on, by its clock; `live` reads it.

    Also the numbers of NVIDIA's GPUs: of those in the node's container, or of the host's where none runs.
    """
    gpus = watch_script.GPUS if node.accelerator is Accelerator.NVIDIA else ""
    asked = (cluster.name, cluster.container(node), f"{since:.0f}", gpus)
    return scripted(watch_script.WATCH, "watch", node, *asked, interpreter="bash")


def inspect(cluster: Cluster, node: Node, *, ask_registry: bool) -> Command:
    """A second look at the host; `inspection` reads it. `ask_registry`: whether the image could be pulled."""
    asked = (image(cluster), "yes" if ask_registry else "")
    return scripted(scripts.INSPECT, "inspect", node, *asked)


def trial(cluster: Cluster, node: Node, place: Place, folder: str, ports: tuple[int, ...]) -> Command:
    """A container as the node's own would be, that tells what is in it and listens; `trial` reads it.

    `folder`: the one for Hugging Face, empty where it is not there: Docker would make it.
    """
    mount = ("-v", f"{folder}:{HF_HOME}") if folder else ()
    options = ("--rm", "--interactive", "--label", "raycluster.trial", "--network", "host", *mount)
    program = ("-c", trials.program(), "look", node.accelerator, place.ip, *map(str, ports))
    given = (*found_inside(cluster, node, place), "--tty=false", "--entrypoint", "python3")
    words = (*options, *given, image(cluster), *program)
    return scripted(scripts.TRIAL, "trial", node, _trial_name(cluster, node), *words)


def reach(cluster: Cluster, node: Node, addresses: tuple[str, ...]) -> Command:
    """Tries connections from inside the node's trial; `trial.links` reads it."""
    words = ("exec", _trial_name(cluster, node), "python3", "-c", trials.program(), "reach", *addresses)
    return Command((*node.docker.command, *words))


def _trial_name(cluster: Cluster, node: Node) -> str:
    return f"raytrial-{cluster.name}-{node.name}"
