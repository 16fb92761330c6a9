"""Report of a short-lived container from the cluster's image: what Ray would find in it, and whom it would reach."""

import json
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.host import ray_and_python
from orchestrator.plan.problem import Problem


@dataclass(frozen=True, slots=True)
class User:
    """Whom the container runs as. `name`: empty where the image has none for that number."""

    uid: int
    name: str
    home: str


class Mounted(StrEnum):
    """What a folder of the container is on: the host's for Hugging Face, another mount, or nothing but the image."""

    FOLDER = "folder"
    OTHER = "other"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Models:
    """Where Hugging Face looks for models in the container: `hub`, in its `home` unless that was told otherwise.

    `entered`: whether the user may come to where the host's folder is mounted. `given`: whether there is a folder to
    judge, the host's, or the other that is mounted. `unusable`: the first folder in it that the user may not read and
    write, empty where all is well; `readable`: whether it may be read at least; `fixed`: whether it is mounted
    read-only.
    """

    home: str
    hub: str
    mount: Mounted
    entered: bool
    given: bool
    unusable: str
    readable: bool
    fixed: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What is in the container. Sizes in bytes, -1 for no limit; `gpus` are names; None: no `ray` there.

    `most_files`: as far as `nofile` can be raised there. `tasks`: how many processes and threads there may be.
    `read_only`: the folders in which the user may not write, though every program does. `listens`: the ports on which
    it now answers, for the others to try. `boot` and `network`: as an `Inspection` has them of the host.
    `executable`: the Python that runs our programs, `python3`: the one of the PATH, `path`, empty where there is none;
    `ray_folder` and `vllm_folder`: where these commands are, if not on it. `variables`: as `parse_variables` has them.
    `bash_env`: the file that a bash reads which runs a command.
    """

    python: str
    ray: str | None
    has_command: bool
    gpus: tuple[str, ...]
    gpu_trouble: str
    shm: int
    memlock: int
    nofile: int
    most_files: int
    tasks: int
    user: User
    models: Models
    read_only: tuple[str, ...]
    listens: tuple[int, ...]
    boot: str = ""
    network: str = ""
    executable: str = ""
    python3: str = ""
    path: str = ""
    ray_folder: str = ""
    vllm_folder: str = ""
    variables: frozenset[tuple[str, int]] = frozenset()
    bash_env: str = ""

    @property
    def versions(self) -> str:
        """What has to be the same on all hosts, or Ray does not join them."""
        return ray_and_python(self.ray, self.python)


def unequal(ours: str, other: str, theirs: str) -> str:
    """What is wrong with a host whose versions are not those of the host `other`."""
    return f"has {ours}, {other} has {theirs}: Ray joins only equals"


def parse_versions(stdout: str) -> str | None:
    """What `docker.versions` has told; None where it has told nothing."""
    for line in filter(is_answer, stdout.splitlines()):
        try:
            told = json.loads(line)
            return ray_and_python(told["ray"], told["python"])
        except (ValueError, KeyError, TypeError):
            continue
    return None


TRIAL = tuple(field.name for field in fields(Trial))


class Outcome(StrEnum):
    """How a TCP connection ended."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "silent"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Link:
    """A connection tried from one host to another. `alive`: the other host answers at all, if not there."""

    source: str
    target: str
    address: str
    outcome: Outcome
    alive: bool


def is_answer(line: str) -> bool:
    """Whether the program printed this, rather than a host that greets whoever logs in."""
    return line.startswith("{")


def parse_trial(line: str) -> Trial | Problem:
    """The first line of the probe in a container."""
    try:
        report = json.loads(line)
        parts: dict[str, Any] = {key: tuple(report[key]) for key in ("gpus", "listens", "read_only")}
        parts |= {"variables": frozenset(report["variables"].items())}
        parts |= {"user": User(**report["user"]), "models": _models(report["models"])}
        return Trial(**{key: report[key] for key in TRIAL} | parts)
    except (ValueError, KeyError, TypeError):
        return Problem(line.strip() or "it says nothing")


def _models(told: Mapping[str, Any]) -> Models:
    return Models(**{**told, "mount": Mounted(told["mount"])})


def parse_variables(stdout: str) -> frozenset[tuple[str, int]] | None:
    """An environment, each variable with a sum of its value; None where the program has not told of it."""
    for line in filter(is_answer, stdout.splitlines()):
        try:
            return frozenset(json.loads(line)["variables"].items())
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return None


def parse_links(source: str, asked: Mapping[str, str], stdout: str) -> tuple[Link, ...]:
    """The connections that were tried; `asked` has the hosts of their addresses."""
    return tuple(
        Link(source, asked[each["address"]], each["address"], Outcome(each["outcome"]), each["alive"])
        for each in map(json.loads, filter(is_answer, stdout.splitlines()))
    )
