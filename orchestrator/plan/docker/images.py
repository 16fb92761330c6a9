"""Lines about images: the one that containers run, and how a host comes by it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from orchestrator import payload
from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan import scripts
from orchestrator.plan.command import Command
from orchestrator.plan.docker.archive import NOTHING_LEFT_OUT, LeftOut, layer_files
from orchestrator.plan.docker.inside import python
from orchestrator.plan.facts.image import BASE_LABEL
from orchestrator.plan.progress import Progress, Unit
from orchestrator.plan.scripts import scripted
from orchestrator.plan.transfer.hop import Hop

SILENCE_SECONDS = 300
"""Longer than the other hosts of a copy may keep this one waiting."""
PACKER = ("zstd", "--quiet", "--stdout", "-T0")
"""What an archive is packed by on its way from the laptop; its first word is on both sides."""
DONE = ("Pull complete", "Already exists")
LOADED = ("Download complete", "Extracting")
OTHERS = ("Pulling fs layer", "Waiting", "Downloading", "Verifying Checksum", "Retrying")
"""https://github.com/moby/moby/blob/master/pkg/jsonmessage prints them as `<layer>: <state>`."""


def image(cluster: Cluster) -> str:
    """The image that containers run: the user's, or the one derived from it that has Ray."""
    if cluster.ray.install is None:
        return cluster.image
    # Of what the user wrote: how it is built may change without any image having to be built anew.
    made_of = f"{cluster.image} {cluster.ray.install}"
    return f"raycluster-ray:{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"


def build(cluster: Cluster, node: Node) -> Command:
    """Adds `ray.install` to the image, which has to be there, in one layer; the recipe travels on standard input."""
    asked = scripted(scripts.BUILD, "build", node, cluster.image, image(cluster), BASE_LABEL)
    return Command(asked.argv, (_dockerfile(cluster),))


def pull(cluster: Cluster, node: Node) -> Command:
    return Command((*node.docker.command, "pull", cluster.image))


def pull_progress(lines: Sequence[str]) -> Progress | None:
    """How far a pull is. Docker tells no bytes where nobody looks, only what becomes of each layer."""
    layers = dict(line.split(": ", 1) for line in lines if ": " in line)
    states = [state for state in layers.values() if state.startswith((*DONE, *LOADED, *OTHERS))]
    done = sum(state.startswith(DONE) for state in states)
    loaded = sum(state.startswith(LOADED) for state in states)
    note = f"{loaded} more downloaded" if loaded else ""
    return Progress(done, len(states), unit=Unit.LAYERS, note=note) if states else None


def inspect_image(node: Node, name: str) -> Command:
    """Tells what image the host has under that name, as `plan.held` reads it; nothing where it has none."""
    return scripted(scripts.HELD, "held", node, name)


def inspect_layers(node: Node) -> Command:
    """Tells which layers the host has, as `facts.layers` reads it."""
    return scripted(scripts.LAYERS, "layers", node)


def save(node: Node, name: str) -> Command:
    """Prints the image and its name as an archive."""
    return Command((*node.docker.command, "save", name))


def load(node: Node, name: str, *, packed: bool = False) -> Command:
    """Takes in an archive of `save`, under the same name; gives up when nothing comes for a while.

    `packed`: by PACKER.
    """
    return scripted(scripts.LOAD, "load", node, str(SILENCE_SECONDS), name, PACKER[0] if packed else "")


def save_relayed(node: Node, name: str, skip: LeftOut = NOTHING_LEFT_OUT) -> Hop:
    """The host whose image the others are to have. `skip`: the layers that all of them have."""
    history = (*node.docker.command, "history", "--human=false", "--format", "{{.Size}}", name)
    source = {
        "kind": "docker save",
        "command": list(save(node, name).argv),
        "skip": list(layer_files(skip.layers, skip.count)),
        "sizes": {"command": list(history), "layers": len(skip.layers), "below": skip.count},
    }
    return replace(_hop(node), source=source)


def load_relayed(node: Node, name: str) -> Hop:
    """A host that is to have the image, and passes it on."""
    command = scripted(scripts.LOAD_RELAYED, "load", node, name)
    return replace(_hop(node), sink={"kind": "command", "command": list(command.argv)})


def _hop(node: Node) -> Hop:
    relay = scripts.RELAY.command(payload.packed(payload.relay_program("relay/docker_save.py")))
    return Hop(node.name, relay, node.ip or "", node.network or "")


def _dockerfile(cluster: Cluster) -> str:
    """By the pip of vLLM's Python. Debian's own lets it install nothing unless it is told that one means it."""
    pip = python("-m", "pip", "install", "--no-cache-dir", cluster.ray.install or "")
    return f"FROM {cluster.image}\nRUN {json.dumps(['env', 'PIP_BREAK_SYSTEM_PACKAGES=1', *pip])}\n"
