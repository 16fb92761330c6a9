"""The image's own entrypoint, skipped though it sets something up, or kept though it runs no command; its BASH_ENV."""

import re
import shlex
from enum import Enum, auto

from orchestrator.model.cluster import Entrypoint, Node
from orchestrator.plan.checks.finding import Findings, failure, warning
from orchestrator.plan.docker.inside import is_prepared
from orchestrator.plan.facts.host import HostFacts
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


def is_to_be_tried(node: Node, facts: HostFacts) -> bool:
    """Whether only a try tells what is lost by skipping it."""
    return node.docker.entrypoint is Entrypoint.SKIP and kind(facts.image_entrypoint) is Kind.OTHER


def check_kept(node: Node, facts: HostFacts) -> Findings:
    """Whether it can be kept, as far as its words tell."""
    if node.docker.entrypoint is Entrypoint.KEEP and kind(facts.image_entrypoint) is Kind.NO_COMMAND:
        text = f"the image's entrypoint, {shlex.join(facts.image_entrypoint)}, passes no command on"
        yield failure(node.name, "entrypoint", f"{text}, so it cannot be kept", SKIP)


def check_environment(
    node: Node, facts: HostFacts, trial: Trial, prepared: frozenset[tuple[str, int]] | None
) -> Findings:
    """What of the image's own environment is missing. `prepared`: all of it, where the entrypoint was tried."""
    if trial.bash_env and not is_prepared(node):
        text = "the image sets BASH_ENV: what that file sets, Ray has, and `exec` and what is served have not"
        yield warning(node.name, "entrypoint", text, change("env.BASH_ENV", trial.bash_env))
    if names := sorted({name for name, _ in (prepared or frozenset()) - trial.variables}):
        shown, more = shlex.join(facts.image_entrypoint), ", …" if len(names) > MOST_NAMES else ""
        text = f"the image's entrypoint, {shown}, sets {', '.join(names[:MOST_NAMES])}{more} and is skipped"
        yield warning(node.name, "entrypoint", text, KEEP)
