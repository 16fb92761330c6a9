"""Devices of a node: how many its container is given, and how many of them Ray has to list."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from orchestrator.model import gpu_request
from orchestrator.model.accelerators import KINDS, Kind, listed
from orchestrator.model.cluster import Accelerator, Node
from orchestrator.model.inventory import arguments
from orchestrator.plan.facts.host import HostFacts
from orchestrator.plan.problem import plural
from orchestrator.plan.typed import change, where

NVIDIA_RUNTIMES = "NVIDIA_VISIBLE_DEVICES"
EMPTY = ("", "-1", "none", "void", "NoDevFiles")
CDI_GPU = re.compile(r"nvidia\.com/gpu=.+")


def kind(node: Node) -> Kind:
    """The kind of its accelerator."""
    return KINDS[node.accelerator]


def expected(node: Node, facts: HostFacts) -> int:
    """How many devices Ray must at least list for this node."""
    if node.num_gpus is not None:
        return node.num_gpus
    if node.accelerator is Accelerator.NONE:
        return 0
    count = known(node, facts)
    return 1 if count is None else count


def known(node: Node, facts: HostFacts) -> int | None:
    """How many devices the node may use, as far as the inventory and the host tell; None where neither does."""
    of = kind(node)
    if node.num_gpus is not None:
        return node.num_gpus
    if (told := resources(node.ray_args).get(of.resource)) is not None:
        return int(told)
    env = environment(node, facts)
    given = _given(node, facts, env)
    return given if of.visible not in env else visible(env[of.visible], given)


def names(node: Node, facts: HostFacts, count: int) -> tuple[str, ...]:
    """What `count` devices of the node's container are called in the variable that hides the others.

    Where a person hides some already, those that are left.
    """
    of = kind(node)
    given = environment(node, facts).get(of.visible, "") if of.visible else ""
    left = tuple(dict.fromkeys(each.strip() for each in given.split(",") if each.strip()))
    return (left or tuple(map(str, range(count))))[:count]


def environment(node: Node, facts: HostFacts) -> Mapping[str, str]:
    """The container's variables: of the image, of the inventory, of `docker.args`; the later ones win."""
    pairs = (pair.partition("=")[::2] for _, pair in arguments.variables(node.docker.args) if "=" in pair)
    return dict(facts.image_env) | dict(kind(node).env) | dict(node.env) | dict(pairs)


def visible(value: str, given: int | None) -> int:
    """How many of `given` devices a variable leaves: what is no device ends its list, as for CUDA."""
    seen = set[str]()
    for entry in map(str.strip, value.split(",")):
        is_number = re.fullmatch(r"[0-9]+(\.[0-9]+)?", entry)  # 0.1: a tile of one of Intel's
        if not (is_number or re.match(r"(GPU|MIG)-", entry)):
            break
        if is_number and given is not None and float(entry) >= given:
            break
        if entry in seen:
            break
        seen.add(entry)
    return len(seen) if given is None else min(len(seen), given)


def hidden(node: Node, facts: HostFacts) -> Iterator[tuple[str, str]]:
    """What variables hide by mistake, and what to write instead."""
    of, env = kind(node), environment(node, facts)
    if node.accelerator is Accelerator.NVIDIA and node.docker.gpus != gpu_request.NONE:
        wanted = dict(node.env).get(NVIDIA_RUNTIMES, "all")
        if wanted != "all":
            text = f"{NVIDIA_RUNTIMES} in `env` has no effect beside --gpus {node.docker.gpus}"
            yield text, change("docker.gpus", f"'\"device={wanted}\"'")
    given = _given(node, facts, env)
    for name in (of.visible, *of.also):
        value = env.get(name)
        if value is None or not name or (name != of.visible and value not in EMPTY):
            continue
        left, entries = visible(value, given), listed(value)
        fix = f"correct {where(f'env.{name}')}, or take it out"
        if (name, value) in facts.image_env:
            every = ",".join(map(str, range(given or 1)))
            fix = f"it is the image's; {change(f'env.{name}', json.dumps(every))}"
        if not left:
            yield f"{name}={value} hides every {of.device}", fix
        elif left < entries:
            yield f"{name}={value} ends for the driver after {plural(left, of.device)}, of {entries}", fix


def resources(ray_args: tuple[str, ...]) -> dict[str, float]:
    """Those that `ray.args` declare; none where that is not what Ray would take."""
    for text in reversed(tuple(_values(ray_args, "--resources"))):
        try:
            told = json.loads(text)
            return {str(name): float(count) for name, count in told.items()}
        except (ValueError, TypeError, AttributeError):
            return {}
    return {}


def _values(args: tuple[str, ...], option: str) -> Iterator[str]:
    for word, following in pairwise((*args, "")):
        if word == option:
            yield following
        elif word.startswith(f"{option}="):
            yield word.partition("=")[2]


def _given(node: Node, facts: HostFacts, env: Mapping[str, str]) -> int | None:
    """How many its container is given; None where the options of `docker run` do not tell."""
    if node.accelerator is Accelerator.NVIDIA:
        return _nvidia(node, facts, env)
    files = _values((*kind(node).docker, *node.docker.args), "--device")
    return sum(re.match(r"/dev/davinci[0-9]+(:|$)", file) is not None for file in files) or None


def _nvidia(node: Node, facts: HostFacts, env: Mapping[str, str]) -> int:
    if request := gpu_request.parse(gpu_request.as_docker_takes_it(node.docker.gpus)):
        return request.number(facts.gpus)
    by_cdi = tuple(name for name in _values(node.docker.args, "--device") if CDI_GPU.fullmatch(name))
    if by_cdi:
        return gpu_request.distinct(by_cdi, facts.gpus)
    match env.get(NVIDIA_RUNTIMES, "all"):  # which NVIDIA's runtime reads
        case "" | "void" | "none":
            return 0
        case names:
            return gpu_request.distinct(tuple(names.split(",")), facts.gpus)
