"""Report of a short-lived container from the cluster's image: what Ray would find in it, and whom it would reach."""

import json
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum

from orchestrator.frozen import dataclass
from orchestrator.plan.problem import Problem


@dataclass(frozen=True, slots=True)
class Trial:
    """What is in the container. Sizes in bytes, -1 for no limit; `gpus` are names; None: no `ray` there.

    `listens`: the ports on which it now answers, for the others to try. `hf_home`: whether it can write
    there; None where it was not given the folder. `boot` and `network`: as an `Inspection` has them of the host.
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
    boot: str = ""
    network: str = ""

    @property
    def versions(self) -> str:
        """What has to be the same on all hosts, or Ray does not join them."""
        return f"Ray {self.ray}, Python {self.python}"


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
        lists = {key: tuple(report[key]) for key in ("gpus", "listens")}
        return Trial(**{key: report[key] for key in TRIAL} | lists)
    except (ValueError, KeyError, TypeError):
        return Problem(line.strip() or "it says nothing")


def parse_links(source: str, asked: Mapping[str, str], stdout: str) -> tuple[Link, ...]:
    """The connections that were tried; `asked` has the hosts of their addresses."""
    return tuple(
        Link(source, asked[each["address"]], each["address"], Outcome(each["outcome"]), each["alive"])
        for each in map(json.loads, filter(is_answer, stdout.splitlines()))
    )
