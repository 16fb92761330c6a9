"""A container from the cluster's image, for a moment: what Ray would find in it, and whom it would reach."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Trial:
    """What stands in the container. Sizes in bytes, -1 for no limit; `gpus` are names; None: no `ray` there.

    `listens`: the ports on which it now answers, for the others to try. `hf_home`: whether it can write
    there; None where it was not given the folder.
    """

    python: str
    ray: str | None
    has_command: bool
    gpus: tuple[str, ...]
    gpu_trouble: str
    shm: int
    memlock: int
    nofile: int
    hf_home: bool | None
    listens: tuple[int, ...]

    @property
    def versions(self) -> str:
        """What has to be the same on all hosts, or Ray does not join them."""
        return f"Ray {self.ray}, Python {self.python}"


@dataclass(frozen=True, slots=True)
class NoTrial:
    """The container did not start, or said nothing that makes sense."""

    exit_code: int | None
    words: str


class Outcome(StrEnum):
    """What became of a TCP connection."""

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
    """Whether the program said this, rather than a host that greets whoever logs in."""
    return line.startswith("{")


def parse_trial(line: str) -> Trial | NoTrial:
    """The program's first line."""
    try:
        return _trial(json.loads(line))
    except (ValueError, KeyError, TypeError):
        return NoTrial(None, line.strip() or "it says nothing")


def _trial(told: Mapping[str, Any]) -> Trial:
    return Trial(
        python=told["python"],
        ray=told["ray"],
        has_command=told["has_command"],
        gpus=tuple(told["gpus"]),
        gpu_trouble=told["gpu_trouble"],
        shm=told["shm"],
        memlock=told["memlock"],
        nofile=told["nofile"],
        hf_home=told["hf_home"],
        listens=tuple(told["listens"]),
    )


def parse_links(source: str, asked: Mapping[str, str], stdout: str) -> tuple[Link, ...]:
    """What came of trying addresses; `asked` has their hosts."""
    told = map(json.loads, filter(is_answer, stdout.splitlines()))
    return tuple(
        Link(source, asked[each["address"]], each["address"], Outcome(each["outcome"]), each["alive"])
        for each in told
    )
