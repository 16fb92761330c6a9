"""Kinds of arguments for docker run, ray start and vllm serve: those that raycluster sets itself are refused."""

import re
from collections.abc import Iterator
from itertools import pairwise

from orchestrator.model.inventory.fields import Value
from orchestrator.model.inventory.mistakes import quoted
from orchestrator.model.inventory.values import SCALAR, scalar

NOT_FOR_DOCKER = {
    "--name": 'containers are named by "cluster" and the host\'s "name"',
    "--detach": "raycluster sets it itself",
    "-d": "raycluster sets it itself",
    "--rm": "raycluster removes containers itself",
    "--network": "it is always host, as Ray and NCCL need it",
    "--net": "it is always host, as Ray and NCCL need it",
    "--entrypoint": "use docker.entrypoint",
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
_FLAGS = (
    *(
        "--disable-content-trust",
        "--init",
        "--interactive",
        "--no-healthcheck",
        "--oom-kill-disable",
        "--privileged",
    ),
    *("--publish-all", "--quiet", "--read-only", "--tty", "--use-api-socket"),
)
"""The options of docker run that take no value."""
_SWITCHES = "diPqt"  # the options of one letter that take no value
_DETACHED = rf"-[{_SWITCHES}]*d[{_SWITCHES}]*"  # also among others, as in `-itd`


def _argument(refused: dict[str, str]) -> Value[str]:
    """An item of a list of arguments: not two in one, and none of those that raycluster sets itself."""

    def check(written: object) -> str:
        argument = scalar(written)
        if not argument:
            raise ValueError("should not be empty")
        if two := re.match(r"(--?[A-Za-z][\w-]*)\s+(.*)", argument, re.DOTALL):
            raise ValueError(
                f"{quoted(argument)} is two arguments in one; write them as {quoted(two[1])}, {quoted(two[2])}"
            )
        option = "-d" if re.fullmatch(_DETACHED, argument) else argument.partition("=")[0]
        if option in refused:
            raise ValueError(f"{option} cannot be given here: {refused[option]}")
        return argument

    options = "|".join([*refused, _DETACHED] if "-d" in refused else refused)
    return Value(check, type=SCALAR, pattern=rf"^(?!({options})(=|$))(?!--?[A-Za-z][\w-]*\s)[\s\S]")


docker = _argument(NOT_FOR_DOCKER)
ray = _argument(NOT_FOR_RAY)
vllm = _argument(NOT_FOR_VLLM)


def labels(args: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Each label set, and the index of its argument."""
    return _given(args, "l", "label")


def variables(args: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Each `NAME=value` (or `NAME` alone) set, and the index of its argument."""
    return _given(args, "e", "env")


def strays(args: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Each argument that is surely neither an option nor the value of one, and its index."""
    wants = False
    for i, argument in enumerate(args):
        if not argument:  # it was refused, and may have been an option
            wants = True
        elif re.match("--?[A-Za-z]", argument):
            switches = argument in _FLAGS or re.fullmatch(f"-[{_SWITCHES}]+", argument)
            wants = not switches and bool(re.fullmatch(rf"--[^=]+|-[{_SWITCHES}]*[A-Za-z]", argument))
        else:
            if not wants:
                yield i, argument
            wants = False


def mounts(args: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, str]]]:
    """Source and target of each mount of the host's, and the index of its argument."""
    for i, volume in _given(args, "v", "volume"):
        source, _, rest = volume.partition(":")
        yield i, (source, rest.partition(":")[0])
    for i, mount in values(args, "--mount"):
        given = dict(part.partition("=")[::2] for part in mount.split(","))
        targets = (given.get(key, "") for key in ("target", "dst", "destination"))
        yield i, (given.get("source") or given.get("src") or "", next(filter(None, targets), ""))


def values(args: tuple[str, ...], option: str) -> Iterator[tuple[int, str]]:
    """Each value of an option that has but a long name, and the index of its argument."""
    for i, (argument, following) in enumerate(pairwise((*args, ""))):
        name, equals, joined = argument.partition("=")
        if name == option:
            yield i, joined if equals else following


def _given(args: tuple[str, ...], short: str, long: str) -> Iterator[tuple[int, str]]:
    """The values of an option, in all spellings: `-e X`, `-eX`, `-ite X`, `--env X`, `--env=X`."""
    spelling = re.compile(rf"(?:-[{_SWITCHES}]*{short}=?|--{long}(?:=|\Z))(.*)", re.DOTALL)
    for i, (argument, following) in enumerate(pairwise((*args, ""))):
        if found := spelling.fullmatch(argument):
            yield i, found[1] or following
