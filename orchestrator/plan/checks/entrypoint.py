"""The image's own entrypoint, skipped though it sets something up, or kept though it runs no command; its BASH_ENV."""

import re
import shlex
from enum import Enum, auto

from orchestrator.model.cluster import Cluster, Entrypoint, Node
from orchestrator.plan.checks.finding import Evidence, Findings, failure, warning
from orchestrator.plan.docker.inside import is_prepared
from orchestrator.plan.facts.inspection import Inspection
from orchestrator.plan.facts.probe import Trial
from orchestrator.plan.typed import change

SHELLS = {"sh", "bash", "dash", "ash", "zsh", "busybox"}
MOST_NAMES = 6
KEEP, SKIP = change("docker.entrypoint", "keep"), change("docker.entrypoint", "skip")


class Kind(Enum):
    """What an entrypoint is: none; a shell or a server, which run no command that is given to them; any other."""

    NONE = auto()
    NO_COMMAND = auto()
    OTHER = auto()


def kind(entrypoint: tuple[str, ...]) -> Kind:
    """By its words. Those of vLLM's images are `vllm serve` or `python3 -m vllm.entrypoints.openai.api_server`."""
    if not entrypoint:
        return Kind.NONE
    program, line = entrypoint[0].rpartition("/")[2], " ".join(entrypoint)
    serves = program == "vllm" or re.search(r"(^|/)python[\d.]* -m vllm\b", line)
    return Kind.NO_COMMAND if program in SHELLS or serves else Kind.OTHER


def is_to_be_tried(node: Node, found: Inspection) -> bool:
    """Whether only a try tells what is lost by skipping it."""
    return node.docker.entrypoint is Entrypoint.SKIP and kind(found.entrypoint) is Kind.OTHER


def check_entrypoint(cluster: Cluster, node: Node, evidence: Evidence) -> Findings:
    """Of each host where it is kept; of the head alone where it is skipped, for the others have the same image."""
    found, trial = evidence.inspections.get(node.name), evidence.trials.get(node.name)
    if node is cluster.head and isinstance(trial, Trial) and trial.bash_env and not is_prepared(node):
        text = "the image sets BASH_ENV: what that file sets, Ray has, and `exec` and what is served have not"
        yield warning(node.name, "entrypoint", text, change("env.BASH_ENV", trial.bash_env))
    if not found:
        return
    shown = shlex.join(found.entrypoint)
    if node.docker.entrypoint is Entrypoint.KEEP:
        if kind(found.entrypoint) is Kind.NO_COMMAND:
            text = f"the image's entrypoint, {shown}, passes no command on, so it cannot be kept"
            yield failure(node.name, "entrypoint", text, SKIP)
    elif node is cluster.head and evidence.prepared is not None and isinstance(trial, Trial):
        names = sorted({name for name, _ in evidence.prepared - trial.variables})
        if names:
            more = ", …" if len(names) > MOST_NAMES else ""
            text = (
                f"the image's entrypoint, {shown}, sets {', '.join(names[:MOST_NAMES])}{more} and is skipped"
            )
            yield warning(node.name, "entrypoint", text, KEEP)
