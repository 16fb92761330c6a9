"""`docker.args` and `ray.args`: what raycluster says itself may not be said again there."""

import re
from collections.abc import Iterator

from orchestrator.model.inventory.mistakes import quoted
from orchestrator.model.inventory.values import scalar

NOT_FOR_DOCKER = {
    "--name": 'containers are named by "cluster" and the host\'s "name"',
    "--detach": "raycluster sets it itself",
    "-d": "raycluster sets it itself",
    "--rm": "raycluster removes containers itself",
    "--network": "it is always host, as Ray and NCCL need it",
    "--net": "it is always host, as Ray and NCCL need it",
    "--entrypoint": "raycluster sets it itself",
    "--restart": "use docker.restart",
    "--gpus": "use docker.gpus",
    "--shm-size": "use docker.shm_size",
    "--pull": "use docker.pull",
}
NOT_FOR_RAY = {
    "--head": "raycluster sets it itself",
    "--block": "raycluster sets it itself",
    "--address": 'raycluster sets it from the head\'s "ip"',
    "--node-ip-address": 'raycluster sets it from the host\'s "ip"',
    "--port": "use ray.port",
    "--num-gpus": "use ray.num_gpus",
}
NOT_FOR_VLLM = {
    "--nnodes": "raycluster sets it itself",
    "--node-rank": "raycluster sets it itself",
    "--master-addr": 'raycluster sets it from the head\'s "ip"',
    "--headless": "raycluster sets it itself",
    "--distributed-executor-backend": "use engine",
}
_SWITCHES = "diPqt"  # the options of one letter that take no value
DETACHED = rf"-[{_SWITCHES}]*d[{_SWITCHES}]*"
"""`-d`, also among others, as in `-itd`."""

_LABELS = ("-l", "--label")
_VARIABLES = ("-e", "--env")


def docker(written: object) -> str:
    """One of `docker.args`."""
    argument = _one(written)
    bundled = re.fullmatch(DETACHED, argument)
    _refuse("-d" if bundled else argument, NOT_FOR_DOCKER)
    return argument


def ray(written: object) -> str:
    """One of `ray.args`."""
    argument = _one(written)
    _refuse(argument, NOT_FOR_RAY)
    return argument


def vllm(written: object) -> str:
    """One of `serve.args`."""
    argument = _one(written)
    _refuse(argument, NOT_FOR_VLLM)
    return argument


def labels(args: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Each label set, and the index of its argument."""
    return _given(args, *_LABELS)


def variables(args: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Each `NAME=value` (or `NAME` alone) set, and the index of its argument."""
    return _given(args, *_VARIABLES)


def _one(written: object) -> str:
    argument = scalar(written)
    if not argument:
        raise ValueError("should not be empty")
    if two := re.match(r"(--?[A-Za-z][\w-]*)\s+(.*)", argument, re.DOTALL):
        raise ValueError(
            f"{quoted(argument)} is two arguments in one; write them as {quoted(two[1])}, {quoted(two[2])}"
        )
    return argument


def _refuse(argument: str, refused: dict[str, str]) -> None:
    option = argument.partition("=")[0]
    if option in refused:
        raise ValueError(f"{option} cannot be given here: {refused[option]}")


def _given(args: tuple[str, ...], short: str, long: str) -> Iterator[tuple[int, str]]:
    """The values of an option, in all spellings: `-e X`, `-eX`, `-ite X`, `--env X`, `--env=X`."""
    spelling = re.compile(rf"(?:-[{_SWITCHES}]*{short[1]}=?|{long}(?:=|\Z))(.*)", re.DOTALL)
    after = (*args[1:], "")
    for i, (argument, following) in enumerate(zip(args, after, strict=True)):
        if found := spelling.fullmatch(argument):
            yield i, found[1] or following
