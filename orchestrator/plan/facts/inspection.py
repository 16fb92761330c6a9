"""The second look at a host, for `check` alone: Docker's own word, the hardware, what else is there."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.plan.facts.sections import KIB, Section, sections


@dataclass(frozen=True, slots=True)
class Engine:
    """Docker as it describes itself; `free`: bytes where it keeps its data, None if untold."""

    version: str
    architecture: str
    root: str
    free: int | None


@dataclass(frozen=True, slots=True)
class Hardware:
    """What of accelerators the host shows. Counts are of devices."""

    nvidia_cards: int
    nvidia_driver: str
    nvidia_usable: int
    nvidia_toolkit: str
    amd: int
    intel: int
    ascend: int
    infiniband: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Any container on the host. `cluster`: of raycluster's, else empty."""

    name: str
    cluster: str
    running: bool
    command: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the second look saw. Untold parts are None.

    `pullable` is the registry's refusal, empty for its yes, None where it was not asked.
    """

    engine: Engine | None
    hardware: Hardware
    neighbours: tuple[Neighbour, ...]
    pullable: str | None
    sudo_docker: bool


def parse_inspection(stdout: str) -> Inspection | None:
    """None for an answer that makes no sense."""
    try:
        told = sections(stdout)
        return Inspection(
            engine=_engine(told["engine"], told["room"]),
            hardware=_hardware(told["hardware"].pairs),
            neighbours=tuple(map(_neighbour, _whole(told["neighbours"].lines))),
            pullable=_pullable(told.get("registry")),
            sudo_docker="sudo" in told and told["sudo"].exit_code == 0,
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _engine(info: Section, room: Section) -> Engine | None:
    """None also for what is not Docker's own, as podman's."""
    told: dict[str, Any] = {} if info.exit_code else json.loads(info.text)
    if not told.get("ServerVersion"):
        return None
    free = room.text.strip()
    return Engine(
        version=str(told["ServerVersion"]),
        architecture=str(told.get("Architecture", "")),
        root=str(told.get("DockerRootDir", "")),
        free=int(free) * KIB if free.isdecimal() else None,
    )


def _hardware(told: Mapping[str, str]) -> Hardware:
    def count(key: str) -> int:
        return int(told.get(key) or 0)

    return Hardware(
        nvidia_cards=count("nvidia_cards"),
        nvidia_driver=told.get("nvidia_driver", ""),
        nvidia_usable=count("nvidia_usable"),
        nvidia_toolkit=told.get("nvidia_toolkit", ""),
        amd=count("amd"),
        intel=count("intel"),
        ascend=count("ascend"),
        infiniband=tuple(told.get("infiniband", "").split()),
    )


def _whole(lines: list[str]) -> Iterator[str]:
    """A container's command may have lines of its own."""
    return (line for line in lines if line.count("\t") >= 3)  # noqa: PLR2004 - as INSPECT prints them


def _neighbour(line: str) -> Neighbour:
    name, cluster, state, command = line.split("\t", 3)
    return Neighbour(name, cluster, state == "running", command)


def _pullable(asked: Section | None) -> str | None:
    if asked is None:
        return None
    return "" if asked.exit_code == 0 else asked.complaint or f"exit code {asked.exit_code}"
