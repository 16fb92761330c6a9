"""Docker's command lines. Nothing else builds one."""

import hashlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.model.cluster import Auth, Cluster, Node
from orchestrator.model.secret import Secret
from orchestrator.plan import devices, ports, ray, scripts
from orchestrator.plan import trial as trials
from orchestrator.plan.command import Command
from orchestrator.plan.facts import Container

STOP_SECONDS = 45
"""A busy actor keeps `docker stop` waiting for up to 31 s (Ray drains for 30)."""

REMOVE_SECONDS = 2.0 * STOP_SECONDS
"""How long a container's graceful end and removal may take."""

HF_HOME = "/root/.cache/huggingface"


@dataclass(frozen=True, slots=True)
class Place:
    """What a container's command line takes from its host."""

    ip: str
    interface: str
    home: str
    infiniband: bool


def run(cluster: Cluster, node: Node, place: Place, head_ip: str, secrets: tuple[Secret, ...]) -> Command:
    """`docker run` for the node. Secrets travel on standard input; the line holds only that they do."""
    before = ("run", "--detach", "--name", cluster.container(node), *_labels(cluster, node))
    after = (*_options(cluster, node, place), *_image_and_command(cluster, node, place, head_ip))
    spec = hashlib.sha256(shlex.join((*before, *after, *cluster.secrets)).encode()).hexdigest()[:12]
    argv = (*node.docker.command, *before, "--label", f"raycluster.spec={spec}", *after)
    return Command(argv, tuple(_env_file(secrets)))


def spec(command: Command) -> str:
    """The spec hash that a `run` line carries."""
    label = next(part for part in command.argv if part.startswith("raycluster.spec="))
    return label.partition("=")[2]


def image(cluster: Cluster) -> str:
    """The image that containers run: the user's, or the one derived from it that has Ray."""
    if cluster.ray.install is None:
        return cluster.image
    return f"raycluster-ray:{hashlib.sha256(_dockerfile(cluster).encode()).hexdigest()[:12]}"


def build(cluster: Cluster, node: Node) -> Command:
    """Adds `ray.install` to the image in one layer; the recipe travels on standard input."""
    argv = (*node.docker.command, "build", "--network", "host", "--tag", image(cluster), "-")
    return Command(argv, (_dockerfile(cluster),))


def pull(cluster: Cluster, node: Node) -> Command:
    return Command((*node.docker.command, "pull", "--quiet", cluster.image))


def remove(cluster: Cluster, node: Node) -> Command:
    """Stops this cluster's containers on the host in good order, and removes them."""
    return _script(scripts.REMOVE, "remove", node, cluster.name)


def remove_one(node: Node, container: Container) -> Command:
    """Stops one container in good order, and removes it."""
    return _script(scripts.REMOVE_ONE, "remove-one", node, container.id)


def discard(cluster: Cluster, node: Node) -> Command:
    """Kills and removes the node's container: one that is of no use has nothing to finish."""
    return _script(scripts.DISCARD, "discard", node, cluster.name, cluster.container(node))


def discard_all(cluster: Cluster, node: Node) -> Command:
    """Kills and removes this cluster's containers on the host, whatever their names."""
    return _script(scripts.DISCARD, "discard", node, cluster.name, "")


def absent(cluster: Cluster, node: Node) -> Command:
    """Succeeds when none of this cluster's containers is on the host."""
    return _script(scripts.ABSENT, "absent", node, cluster.name)


def last_words(cluster: Cluster, node: Node) -> Command:
    """The end of the container's log, both streams."""
    return _script(scripts.LAST_WORDS, "last-words", node, cluster.container(node))


def state(cluster: Cluster, node: Node) -> Command:
    """The container's `State` and count of restarts, as JSON."""
    shown = '{"state":{{json .State}},"restarts":{{.RestartCount}}}'
    argv = ("container", "inspect", "--format", shown, cluster.container(node))
    return Command((*node.docker.command, *argv))


def listening(cluster: Cluster, node: Node, ip: str) -> Command:
    """Succeeds when `ip` answers on the GCS port; else prints the container's `State`, as `state` does."""
    return _script(scripts.LISTENING, "listening", node, ip, str(cluster.ray.port), cluster.container(node))


def follow_nodes(cluster: Cluster, node: Node, ip: str, seconds: float) -> Command:
    """Tells changes of Ray's node table from inside the head's container, while standard input is open."""
    inside = ("python3", "-c", ray.node_table_script(), ray.address(ip, cluster.ray.port), f"{seconds:g}")
    return Command((*node.docker.command, "exec", "--interactive", cluster.container(node), *inside))


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
    )
    return _script(scripts.OBSERVE, "observe", node, *asked)


def inspect(cluster: Cluster, node: Node, *, ask_registry: bool) -> Command:
    """A second look at the host; `inspection` reads it. `ask_registry`: whether the image could be pulled."""
    asked = (image(cluster), "yes" if ask_registry else "")
    return _script(scripts.INSPECT, "inspect", node, *asked)


def trial(cluster: Cluster, node: Node, place: Place, folder: str, ports: tuple[int, ...]) -> Command:
    """A container as the node's own would be, that tells what is in it and listens; `trial` reads it.

    `folder`: the one for Hugging Face, empty where it is not there: Docker would make it.
    """
    mount = ("-v", f"{folder}:{HF_HOME}") if folder else ()
    options = ("--rm", "--interactive", "--label", "raycluster.trial", "--network", "host", *mount)
    program = ("-c", trials.program(), "look", node.accelerator, place.ip, *map(str, ports))
    given = (*_devices(cluster, node, place), "--tty=false", "--entrypoint", "python3")
    words = (*options, *given, image(cluster), *program)
    return _script(scripts.TRIAL, "trial", node, _trial_name(cluster, node), *words)


def reach(cluster: Cluster, node: Node, addresses: tuple[str, ...]) -> Command:
    """Tries connections from inside the node's trial; `trial.links` reads it."""
    words = ("exec", _trial_name(cluster, node), "python3", "-c", trials.program(), "reach", *addresses)
    return Command((*node.docker.command, *words))


def _trial_name(cluster: Cluster, node: Node) -> str:
    return f"raytrial-{cluster.name}-{node.name}"


def _script(text: str, name: str, node: Node, *arguments: str) -> Command:
    """A fixed script; what the user wrote reaches it as arguments and is never read as code."""
    return Command(("sh", "-c", text, name, " ".join(node.docker.command), *arguments))


def _labels(cluster: Cluster, node: Node) -> tuple[str, ...]:
    return ("--label", f"raycluster.cluster={cluster.name}", "--label", f"raycluster.role={node.role}")


def _options(cluster: Cluster, node: Node, place: Place) -> tuple[str, ...]:
    hf_home = node.hf_home.replace("~", place.home, 1) if node.hf_home.startswith("~") else node.hf_home
    return (
        *("--restart", node.docker.restart, "--entrypoint", "/bin/bash", "--network", "host"),
        *("--shm-size", node.docker.shm_size, *devices.gpus(node), "--stop-timeout", str(STOP_SECONDS)),
        *("-v", f"{hf_home}:{HF_HOME}"),
        *_environment(cluster, node, place),
        *(("--env-file", "/dev/stdin") if cluster.secrets else ()),
        *_token(cluster, node, place),
        *devices.devices(node, infiniband=place.infiniband),
        *node.docker.args,
    )


def _devices(cluster: Cluster, node: Node, place: Place) -> tuple[str, ...]:
    """All that decides what a container finds in it, secrets and the token aside."""
    given = (*_environment(cluster, node, place), *devices.devices(node, infiniband=place.infiniband))
    return ("--shm-size", node.docker.shm_size, *devices.gpus(node), *given, *node.docker.args)


def _environment(cluster: Cluster, node: Node, place: Place) -> Iterator[str]:
    ours = {
        "VLLM_HOST_IP": place.ip,
        "GLOO_SOCKET_IFNAME": place.interface,
        "NCCL_SOCKET_IFNAME": place.interface,
        **ports.variables(cluster, node),
    }
    return (part for name, value in (ours | dict(node.env)).items() for part in ("-e", f"{name}={value}"))


def _token(cluster: Cluster, node: Node, place: Place) -> tuple[str, ...]:
    """Ray before 2.52 ignores the variables, so `auto` needs no look into the image."""
    if cluster.ray.auth is Auth.DISABLED:
        return ("-e", "RAY_AUTH_MODE=disabled")
    file = f"{place.home}/.raycluster/{cluster.name}/{node.name}.token:{ray.TOKEN_IN_CONTAINER}:ro"
    return ("-v", file, "-e", "RAY_AUTH_MODE=token", "-e", f"RAY_AUTH_TOKEN_PATH={ray.TOKEN_IN_CONTAINER}")


def _image_and_command(cluster: Cluster, node: Node, place: Place, head_ip: str) -> tuple[str, ...]:
    return (image(cluster), "-c", ray.start(cluster, node, place.ip, head_ip))


def _env_file(secrets: tuple[Secret, ...]) -> Iterator[str | Secret]:
    for secret in secrets:
        yield from (f"{secret.name}=", secret, "\n")


def _dockerfile(cluster: Cluster) -> str:
    requirement = shlex.quote(cluster.ray.install or "")
    return f"FROM {cluster.image}\nRUN python3 -m pip install --no-cache-dir {requirement}\n"
