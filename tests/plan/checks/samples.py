"""What is found on a host in good order, changed one field at a time; and findings in brief."""

from collections.abc import Iterable
from dataclasses import replace

from orchestrator.model.cluster import Cluster
from orchestrator.plan.checks import Finding, quick
from orchestrator.plan.facts.docker_engine import Engine
from orchestrator.plan.facts.host import Facts, Folder, Machine
from orchestrator.plan.facts.inspection import Hardware, Inspection, Neighbour
from orchestrator.plan.facts.probe import Link, Models, Mounted, Outcome, Trial, User
from tests.plan.worlds import bare_host, cluster, node, with_host

Told = list[tuple[str, str, str]]

GIB = 1 << 30

HARDWARE = Hardware(
    nvidia_cards=8,
    nvidia_driver="570.86.15",
    nvidia_usable=8,
    nvidia_toolkit="/usr/bin/nvidia-container-runtime-hook",
    nvidia_hook="/usr/bin/nvidia-container-runtime-hook",
    others=(),
    infiniband=(),
)
ENGINE = Engine("27.3.1", "x86_64", "/var/lib/docker", 500 * GIB)
INSPECTION = Inspection(ENGINE, HARDWARE, neighbours=(), pullable=None, sudo_docker=False)
MODELS = Models(
    home="/root/.cache/huggingface",
    hub="/root/.cache/huggingface/hub",
    mount=Mounted.FOLDER,
    entered=True,
    given=True,
    unusable="",
    readable=True,
    fixed=False,
)
TRIAL = Trial(
    python="3.12.3",
    ray="2.56.0",
    has_command=True,
    gpus=("NVIDIA H100", "NVIDIA H100"),
    gpu_trouble="",
    shm=10 * GIB,
    memlock=-1,
    nofile=1048576,
    most_files=1048576,
    tasks=-1,
    user=User(0, "root", "/root"),
    models=MODELS,
    read_only=(),
    listens=(6379, 60999, 19999),
    executable="/usr/bin/python3",
    python3="/usr/bin/python3",
    path="/usr/bin:/bin",
)


def good(of: Cluster) -> Facts:
    """Hosts that the look finds nothing wrong with, each a machine of its own."""
    return {each.name: bare_host(each, machine=machine(), listeners=()) for each in of.nodes}


def machine(**changes: object) -> Machine:
    made = Machine("node", "10.0.0.1", 512 * GIB, folder())
    return replace(made, **changes)  # type: ignore[arg-type]


def folder(**changes: object) -> Folder:
    made = Folder("/home/ana/.cache/huggingface", exists=True, free=900 * GIB)
    return replace(made, **changes)  # type: ignore[arg-type]


def hardware(**changes: object) -> Inspection:
    return inspection(hardware=replace(HARDWARE, **changes))  # type: ignore[arg-type]


def inspection(**changes: object) -> Inspection:
    return replace(INSPECTION, **changes)  # type: ignore[arg-type]


def neighbour(name: str = "node-4711", **changes: object) -> Neighbour:
    made = Neighbour(name, cluster="", running=True, command="\"bash -c 'ray start --block --head'\"")
    return replace(made, **changes)  # type: ignore[arg-type]


def trial(**changes: object) -> Trial:
    return replace(TRIAL, **changes)  # type: ignore[arg-type]


def link(source: str, target: str, outcome: Outcome = Outcome.OPEN, *, alive: bool = True) -> Link:
    return Link(source, target, f"10.0.0.{target[-1]}:6380", outcome, alive)


def brief(findings: Iterable[Finding]) -> list[tuple[str, str, str, str]]:
    """Host, level, text and remedy of what is not good."""
    return [(each.host, each.level, each.text, each.fix) for each in findings if each.level != "ok"]


def fine(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    """Host, topic and text of what is good."""
    return [(each.host, each.topic, each.text) for each in findings if each.level == "ok"]


def head(**changes: object) -> Cluster:
    """A cluster of a head alone."""
    return cluster(workers=0, head=node(1, **changes))


ALONE = head()


def head_with(of: Cluster, **changes: object) -> Facts:
    """Good hosts, but for these changes to what is known of the head."""
    return with_host(good(of), "gpu1", **changes)


def found(of: Cluster = ALONE, **changes: object) -> Told:
    """What one look tells that is not good about the head, with these changes."""
    return [(level, text, fix) for _, level, text, fix in brief(quick(of, head_with(of, **changes)))]
