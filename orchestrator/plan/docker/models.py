"""Lines about models: a program of ours in the node's container, or in one of its image with the same folders."""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from orchestrator import payload
from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.secret import Secret
from orchestrator.payload import Name
from orchestrator.plan import scripts
from orchestrator.plan.command import Command, Script
from orchestrator.plan.docker.images import image
from orchestrator.plan.docker.inside import FIND_PYTHON, entrypoint, first, text_inside
from orchestrator.plan.docker.mounts import hf_home_target
from orchestrator.plan.facts.models import CopyList
from orchestrator.plan.scripts import packed_program, scripted
from orchestrator.plan.transfer.hop import Hop

LAPTOP = "laptop"
"""The name of this machine among the hosts, where it is none of them."""


def models(
    cluster: Cluster, node: Node, act: str, names: tuple[str, ...], *, running: bool = False
) -> Command:
    """Has `payload/models/manage.py` do `act` with these models, or with all; `facts.models` reads what it says.

    `running`: in the node's container alone, which has to run.
    """
    return _program(cluster, node, "models/manage", act, names, running=running)


def pull_model(
    cluster: Cluster, node: Node, model: str, revision: str, token: Secret | None, *, everything: bool
) -> Command:
    """Downloads a model by the library of the image; the token travels on standard input."""
    told = {"model": model, "revision": revision, "all": everything}
    command = _program(cluster, node, "models/pull", "pull", told)
    return replace(command, stdin=(*((token,) if token else ()), "\n"))


def list_model(cluster: Cluster, node: Node, model: str, revision: str) -> Command:
    """Tells what a model's revision consists of there; `facts.models` reads it."""
    return _program(cluster, node, "models/stream", "list", {"model": model, "revision": revision})


def model_holding(cluster: Cluster, node: Node, wanted: CopyList) -> Command:
    """Tells what of it is there."""
    return _program(cluster, node, "models/stream", "holding", _packed(wanted.json()))


def send_model(cluster: Cluster, node: Node, wanted: CopyList, begin: Mapping[int, int]) -> Command:
    """Prints files as a stream. `begin`: from which byte on, by their numbers."""
    told = {"list": wanted.json(), "begin": begin}
    return _program(cluster, node, "models/stream", "send", _packed(told))


def receive_model(cluster: Cluster, node: Node, wanted: CopyList) -> Command:
    """Makes files of such a stream."""
    return _program(cluster, node, "models/stream", "receive", _packed(wanted.json()))


def model_hops(
    cluster: Cluster, source: Node, targets: tuple[Node, ...], wanted: CopyList, begin: Mapping[int, int]
) -> tuple[Hop, ...]:
    """The chain in which hosts pass it on."""
    listed = _packed(wanted.json())
    first = Hop(
        source.name,
        _relay(cluster, source),
        source.ip or "",
        source.network or "",
        source={"kind": "model", "list": listed, "begin": {str(number): at for number, at in begin.items()}},
    )
    rest = (
        Hop(
            node.name,
            _relay(cluster, node),
            node.ip or "",
            node.network or "",
            sink={"kind": "model", "list": listed},
        )
        for node in targets
    )
    return (first, *rest)


def _relay(cluster: Cluster, node: Node) -> Command:
    return _command(cluster, node, "relay", Script("relay", _relay_program()), "")


@cache
def _relay_program() -> str:
    return payload.packed(payload.relay_program(*payload.MODEL_RELAY))


def _packed(told: object) -> str:
    return base64.b64encode(zlib.compress(json.dumps(told).encode(), 9)).decode()


def _program(
    cluster: Cluster, node: Node, name: Name, act: str, told: object, *, running: bool = False
) -> Command:
    text = told if isinstance(told, str) else json.dumps(told)
    return _command(cluster, node, act, packed_program(name), text, running=running)


def _command(
    cluster: Cluster, node: Node, act: str, program: Script, text: str, *, running: bool = False
) -> Command:
    if node.is_local and node.name == LAPTOP:
        words = (*(f"{name}={value}" for name, value in node.env), "python3", "-c", program, act, text)
        return Script(f"{act}-models", scripts.LAPTOP_MODELS).command(*words)
    return scripted(
        scripts.MODELS,
        f"{act}-models",
        node,
        cluster.container(node),
        node.hf_home,
        hf_home_target(node),
        text_inside(node, FIND_PYTHON),
        program,
        act,
        text,
        *(() if running else _container(cluster, node)),
    )


def _container(cluster: Cluster, node: Node) -> tuple[str, ...]:
    """The end of a `docker run` as far as the program's own words."""
    given = tuple(part for name, value in node.env for part in ("--env", f"{name}={value}"))
    options = ("--pull", "never", "--label", "raycluster.trial", "--network", "host", "--tty=false")
    return (*options, *given, *node.docker.args, *entrypoint(node), *first(node, image(cluster), FIND_PYTHON))
