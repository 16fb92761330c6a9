"""What a short-lived container from the image finds: Ray, Python, GPUs, limits."""

from orchestrator.model.cluster import Accelerator, Auth, Cluster, Entrypoint, Node
from orchestrator.plan import devices
from orchestrator.plan.checks.container_user import check_user
from orchestrator.plan.checks.finding import Findings, failure, gib, ok, quoting, release, warning
from orchestrator.plan.docker.run import gives_rdma
from orchestrator.plan.facts.host import HostFacts
from orchestrator.plan.facts.probe import Trial
from orchestrator.plan.problem import Problem
from orchestrator.plan.ray.commands import OLDEST_RAY, no_package, too_old
from orchestrator.plan.remedies import (
    NO_PIDS_LIMIT,
    NO_RAY,
    NO_TOOLKIT,
    NOT_PASSED_ON,
    OLD_RAY,
    ON_PATH,
    OTHER_PYTHON,
    hint,
)
from orchestrator.plan.typed import add, change, host_command, ours, where

OPEN_FILES = 65536
"""What Ray's own launcher sets; a busy node opens thousands of sockets."""

TASKS = 16384
"""Podman's limit is 2048. Ray starts a process for each core, vLLM one for each GPU, and each has dozens of threads."""

FIRST_WITH_TOKENS = (2, 52)
ON_THE_HOST = host_command("nvidia-smi", "-L")
BY_HAND = f"run the line by hand that this shows: {ours('up', '--dry-run')}"


def check_container(cluster: Cluster, node: Node, facts: HostFacts, trial: Trial | Problem) -> Findings:
    """Everything that the container of one host shows."""
    if isinstance(trial, Problem):
        kept = node.docker.entrypoint is Entrypoint.KEEP
        fix = hint(trial.text) or (NOT_PASSED_ON if kept else BY_HAND)
        yield quoting(node.name, "image", "a container from it does not start: ", trial.text, fix)
        return
    yield from _python(node, trial)
    if cluster.engine.has_ray:
        yield from _ray(cluster, node, trial)
    if node.accelerator is not Accelerator.NONE:
        yield from _gpus(node, facts, trial)
    yield from _limits(cluster, node, facts, trial)
    yield from check_user(node, facts, trial)


def _python(node: Node, trial: Trial) -> Findings:
    if trial.python3 != trial.executable:
        text = f"programs of raycluster run on {trial.executable}"
        yield ok(node.name, "image", f"{text}, not on {trial.python3}" if trial.python3 else text)
    if not trial.python3 and trial.executable:
        text = "no python3 is on its PATH: a model that is served is not served again after a restart"
        folder = trial.executable.rpartition("/")[0]
        yield warning(node.name, "image", text, ON_PATH.format(folder=folder, path=trial.path))
    if folder := trial.vllm_folder:
        text = f"vllm is in {folder}, which is not on PATH"
        yield warning(node.name, "image", text, ON_PATH.format(folder=folder, path=trial.path))


def _ray(cluster: Cluster, node: Node, trial: Trial) -> Findings:
    """No command, no package in the Python that it names, neither: each is another fault."""
    if folder := trial.ray_folder:
        text = f"ray is in {folder}, which is not on PATH"
        yield failure(node.name, "ray", text, ON_PATH.format(folder=folder, path=trial.path))
        return
    if trial.ray is None and trial.has_command:
        yield failure(node.name, "ray", no_package(trial.executable), OTHER_PYTHON)
        return
    if trial.ray is None:
        yield failure(node.name, "ray", "the image has no Ray", NO_RAY)
        return
    if not trial.has_command:
        text = f"the image has Ray {trial.ray}, but no command `ray`, nor do the places where it might be"
        yield failure(node.name, "ray", text, "install Ray there with pip, which makes the command")
        return
    if release(trial.ray) < OLDEST_RAY:
        yield failure(node.name, "ray", too_old(trial.ray), OLD_RAY)
        return
    yield ok(node.name, "ray", trial.versions)
    if cluster.ray.auth is not Auth.DISABLED and release(trial.ray) < FIRST_WITH_TOKENS:
        text = f"Ray {trial.ray} has no token authentication: whoever reaches its ports can run code there"
        level = failure if cluster.ray.auth is Auth.TOKEN else warning
        yield level(node.name, "ray", text, "use an image with Ray 2.52 or later")


def _gpus(node: Node, facts: HostFacts, trial: Trial) -> Findings:
    expected, found = devices.expected(node, facts), len(trial.gpus)
    text = f"containers see {found} of the {expected} {devices.kind(node).device}s"
    fix = hint(trial.gpu_trouble) or _more_gpus(node, trial)
    if trial.gpu_trouble:
        yield quoting(node.name, "gpus", f"{text}: ", trial.gpu_trouble, fix)
    elif found < expected:  # more may be declared than there are: Ray can share one
        yield (warning if found and node.num_gpus else failure)(node.name, "gpus", text, fix)
    elif found:
        yield ok(node.name, "gpus", f"containers see {found}: {', '.join(sorted(set(trial.gpus)))}")


def _more_gpus(node: Node, trial: Trial) -> str:
    """What may give a container the GPUs it lacks; the toolkit is there where it sees some, or nvidia-smi fails."""
    if node.accelerator is not Accelerator.NVIDIA:
        return f"look at {where('docker.args')} and the driver"
    if trial.gpus:
        return (
            f"{ON_THE_HOST} lists what its driver has, and {where('docker.gpus')} what containers are given"
        )
    no_program = not trial.gpu_trouble or "no nvidia-smi" in trial.gpu_trouble
    return NO_TOOLKIT if no_program else f"does it work on the host itself? {ON_THE_HOST}"


OBJECT_STORE = "--object-store-memory"


def object_store(memory: int, shm: int) -> float:
    """The bytes that Ray takes for its object store, at most: `ray/_private/resource_and_label_spec.py` of Ray 2.54.

    Ray asks for what is free of the memory, which cannot be more than there is.
    """
    return min(0.3 * memory, max(10e9, 0.95 * shm))


def _limits(cluster: Cluster, node: Node, facts: HostFacts, trial: Trial) -> Findings:
    memory = facts.machine.memory if facts.machine else 0
    wish = object_store(memory, trial.shm)
    if (
        cluster.engine.has_ray
        and trial.shm < wish
        and not any(OBJECT_STORE in each for each in node.ray_args)
    ):
        text = f"/dev/shm has {gib(trial.shm)}: Ray's object store, of up to {gib(wish)}, goes to the container's /tmp"
        yield warning(node.name, "memory", text, change("docker.shm_size", "10.24g"))
    else:
        yield ok(node.name, "memory", f"/dev/shm has {gib(trial.shm)}")
    if gives_rdma(node, infiniband=facts.infiniband) and trial.memlock != -1:
        text = f"containers may lock only {gib(trial.memlock)} of memory, which RDMA needs all of"
        yield failure(node.name, "rdma", text, "let Docker's service have LimitMEMLOCK=infinity")
    if -1 < trial.nofile < OPEN_FILES:
        # What the engine itself may not, it cannot give: Docker then starts nothing at all.
        may = trial.most_files == -1 or trial.most_files >= OPEN_FILES
        args = add("docker.args", f"--ulimit=nofile={OPEN_FILES}")
        fix = args if may else f"let Docker's service there have LimitNOFILE={OPEN_FILES} or more"
        yield warning(node.name, "memory", f"containers may open only {trial.nofile} files", fix)
    if -1 < trial.tasks < TASKS:
        text = f"containers may start only {trial.tasks} processes and threads"
        text += ", and Ray and vLLM start more on many cores"
        yield warning(node.name, "memory", text, NO_PIDS_LIMIT)
