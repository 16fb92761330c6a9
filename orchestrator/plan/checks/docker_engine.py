"""Docker's engine: whether it is the host's own, and whether its settings let our containers work and be heard."""

from orchestrator.model import gpu_request
from orchestrator.model.cluster import Accelerator, Node
from orchestrator.plan.checks.finding import Findings, Level, failure, release, warning
from orchestrator.plan.command import Command
from orchestrator.plan.docker import endpoint
from orchestrator.plan.facts.docker_engine import Engine, Maker
from orchestrator.plan.facts.host import HostFacts
from orchestrator.plan.facts.inspection import Inspection, Restarter
from orchestrator.plan.facts.probe import Trial
from orchestrator.plan.remedies import HOSTS_RUNTIME, READABLE_LOGS, USERS_AS_THEY_ARE
from orchestrator.plan.typed import add, change, host_command, ours, there, where

SYSTEMS_DOCKER = f"use the system's Docker: {change('docker.command', 'sudo -n docker')}"

ON_THE_HOST = ("runc", "crun", "nvidia", "io.containerd.runc.v2")
"""The runtimes that are known to isolate by namespaces alone, and so leave out the network's."""

COME_BACK = ("always", "unless-stopped")
ALWAYS_ALONE = "restart-policy=always"

HAVE_LOGS = ("json-file", "local", "journald", "k8s-file", "")
FIRST_TO_CACHE_LOGS = (20, 10)
"""From then on Docker keeps a copy to read of what it sends away."""


def check_engine(node: Node, here: HostFacts, engine: Engine | None) -> Findings:
    """What Docker tells of itself that keeps containers from working there, or from being heard."""
    if engine is None:
        return
    if elsewhere := _elsewhere(node, here, engine):
        yield failure(node.name, "docker", elsewhere, _own_engine(node, engine))
    elif engine.rootless:
        text = (
            "its Docker is rootless: containers are in a network of its own, where no other host reaches them"
        )
        yield failure(node.name, "docker", text, SYSTEMS_DOCKER)
    elif engine.maps_users and endpoint.argument(node, "--userns") != "host":
        text = "its Docker maps users (userns-remap), and so refuses containers the host's network"
        yield failure(node.name, "docker", text, add("docker.args", USERS_AS_THEY_ARE))
    driver = endpoint.argument(node, "--log-driver") or engine.log_driver
    version = release(engine.version)
    cached = engine.maker is Maker.PODMAN or not version or version >= FIRST_TO_CACHE_LOGS
    if driver == "none" or not (cached or driver in HAVE_LOGS):
        text = f"its Docker keeps no logs to read (log driver {driver}), so a container's end would have no reason"
        yield warning(node.name, "docker", text, add("docker.args", READABLE_LOGS))


def check_gpus(node: Node, engine: Engine | None) -> Findings:
    """Whether Podman makes of `docker.gpus` what Docker does: it takes each word for a name of CDI, a number, too.

    From 5.0 on: pkg/specgenutil/specgen.go there. An older one takes no notice of it, as `hardware` says.
    """
    asks = node.docker.gpus
    podman = engine is not None and engine.maker is Maker.PODMAN
    if not podman or node.accelerator is not Accelerator.NVIDIA or asks in ("all", gpu_request.NONE):
        return
    wanted = gpu_request.parse(gpu_request.as_docker_takes_it(asks)) or gpu_request.GpuRequest()
    numbers = ("all",) if wanted.count is None else map(str, range(wanted.count))
    names = [each.rpartition("=")[2] for each in wanted.devices or numbers]
    devices = (f"--device=nvidia.com/gpu={name}" for name in names)
    text = f"its Podman would look for GPUs of other names than {asks} means to Docker"
    fix = f"{change('docker.gpus', gpu_request.NONE)} and {add('docker.args', *devices)}"
    yield failure(node.name, "gpus", text, fix)


def check_restarter(node: Node, engine: Engine | None, found: Restarter | None) -> Findings:
    """Whether Podman's containers come back after a reboot, which no daemon sees to, as `docker.restart` promises.

    https://docs.podman.io/en/latest/markdown/podman-run.1.html, of --restart; the unit's filter is that of 4.3.1 and
    5.4.2, 5.8.6 has should-start-on-boot.
    """
    policy = node.docker.restart
    if found is None or engine is None or engine.maker is not Maker.PODMAN or policy not in COME_BACK:
        return
    user = "" if found.lingers is None else "--user "
    enable = there(f"{'' if user else 'sudo '}systemctl {user}enable podman-restart.service")
    if found.lingers is False and found.state:  # else there is no systemd, which would end them
        text = (
            "its containers end when this user logs out, and do not come back after a reboot: nothing lingers"
        )
        yield warning(node.name, "docker", text, there('sudo loginctl enable-linger "$(id -un)"'))
    if not found.state:
        text = "its containers do not come back after a reboot: there is no podman-restart.service"
        yield warning(node.name, "docker", text, f"{ours('up')} after each reboot of it")
    elif policy != "always" and found.starts == ALWAYS_ALONE:
        text = f"its containers do not come back after a reboot: podman-restart.service starts no `{policy}` ones"
        also = "" if found.state == "enabled" else f"; {enable}"
        yield warning(node.name, "docker", text, f"{change('docker.restart', 'always')}{also}")
    elif found.state != "enabled":
        text = f"its containers do not come back after a reboot: podman-restart.service is {found.state}"
        yield warning(node.name, "docker", text, enable)


def is_fit(node: Node, here: HostFacts, engine: Engine | None) -> bool:
    """Whether a container that this engine starts would be the host's and of use, as far as the engine tells."""
    return all(each.level is not Level.FAILURE for each in check_engine(node, here, engine))


def check_place(node: Node, found: Inspection, trial: Trial, engine: Engine | None) -> Findings:
    """Whether a container was where the host is: on its kernel, in its network."""
    if _differ(trial.boot, found.boot):
        text = "its containers do not run on this host, but on another machine, or in a virtual one"
    elif _differ(trial.network, found.network):
        text = "its containers are not in the host's network, where other hosts reach them"
    else:
        return
    runtime = endpoint.argument(node, "--runtime") or (engine.runtime if engine else "")
    if runtime and runtime not in ON_THE_HOST:
        yield failure(node.name, "docker", f"{text} (runtime {runtime})", add("docker.args", HOSTS_RUNTIME))
    else:
        fix = _own_engine(node, engine) if engine and _chosen_by(node, engine) else SYSTEMS_DOCKER
        yield failure(node.name, "docker", text, fix)


def _elsewhere(node: Node, here: HostFacts, engine: Engine) -> str:
    """That it is another machine's, by what it tells of that one: at least its name."""
    if not here.machine:
        return ""
    if _differ(engine.hostname, here.machine.hostname):
        whose = f"the Docker of {engine.hostname}"
    elif _differ(engine.kernel, here.machine.kernel) or _differ(engine.memory, here.machine.memory):
        whose = f"the Docker of another machine, with Linux {engine.kernel}"
    else:
        return ""
    return f"its `docker` speaks to {whose}{_chosen_by(node, engine)}, not to one of this host"


def _chosen_by(node: Node, engine: Engine) -> str:
    if endpoint.is_by_variables(node) and engine.variable:
        return f" ({engine.variable})"
    return f" (context {engine.context})" if engine.context not in ("", "default") else ""


def _own_engine(node: Node, engine: Engine) -> str:
    """What makes the same command speak to the host's own Docker."""
    if endpoint.is_in_command(node):
        return f"leave out of {where('docker.command')} what names that engine"
    if engine.maker is Maker.PODMAN:
        return _command(endpoint.podman_here(node))
    here = _command(endpoint.at_systems_socket(node))
    if endpoint.is_by_variables(node) and engine.variable:
        name = engine.variable.partition("=")[0]
        return f"take {name} out of its ~/.bashrc or /etc/environment, or {here}"
    if engine.context not in ("", "default"):
        return f"{host_command(*endpoint.default_context(node).argv)}; or {here}"
    return f"is Docker installed on it? {here}"


def _command(command: Command) -> str:
    return change("docker.command", command.shown())


def _differ(one: str | int, other: str | int) -> bool:
    """Whether both are known, and not the same."""
    return bool(one and other) and one != other
