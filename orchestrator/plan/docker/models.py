"""Lines about models: a program of ours in the node's container, or in one of its image with the same folders."""

import json
from dataclasses import replace

from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.secret import Secret
from orchestrator.payload import Name
from orchestrator.plan import scripts
from orchestrator.plan.command import Command
from orchestrator.plan.docker.images import image
from orchestrator.plan.docker.inside import FIND_PYTHON, entrypoint, first, text_inside
from orchestrator.plan.docker.mounts import hf_home_target
from orchestrator.plan.scripts import program, scripted


def models(cluster: Cluster, node: Node, act: str, names: tuple[str, ...]) -> Command:
    """Has `payload/models.py` do `act` with these models, or with all; `facts.models` reads what it says."""
    return _program(cluster, node, "models", act, names)


def pull_model(
    cluster: Cluster, node: Node, model: str, revision: str, token: Secret | None, *, everything: bool
) -> Command:
    """Downloads a model by the library of the image; the token travels on standard input."""
    told = {"model": model, "revision": revision, "all": everything}
    command = _program(cluster, node, "model_pull", "pull", told)
    return replace(command, stdin=(*((token,) if token else ()), "\n"))


def _program(cluster: Cluster, node: Node, name: Name, act: str, told: object) -> Command:
    return scripted(
        scripts.MODELS,
        f"{act}-models",
        node,
        cluster.container(node),
        node.hf_home,
        hf_home_target(node),
        text_inside(node, FIND_PYTHON),
        program(name),
        act,
        json.dumps(told),
        *_container(cluster, node),
    )


def _container(cluster: Cluster, node: Node) -> tuple[str, ...]:
    """The end of a `docker run` as far as the program's own words."""
    given = tuple(part for name, value in node.env for part in ("--env", f"{name}={value}"))
    options = ("--pull", "never", "--label", "raycluster.trial", "--network", "host", "--tty=false")
    return (*options, *given, *node.docker.args, *entrypoint(node), *first(node, image(cluster), FIND_PYTHON))
