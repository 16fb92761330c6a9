"""What `check` and `init` alone inspect of a host: Docker's own report, the hardware, what else is there."""

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.sections import KIB, Section, sections

COUNTS = ("nvidia_cards", "nvidia_usable", "amd", "intel", "ascend")
COLUMNS = 4  # of a neighbour, as INSPECT prints them


@dataclass(frozen=True, slots=True)
class Engine:
    """Docker as it describes itself; `free`: bytes where it keeps its data, None if unknown."""

    version: str
    architecture: str
    root: str
    free: int | None


@dataclass(frozen=True, slots=True)
class Hardware:
    """Accelerators and RDMA devices of a host. Counts are of devices."""

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
    """What was found; unknown parts are None. `pullable`: the registry's refusal, empty for its yes."""

    engine: Engine | None
    hardware: Hardware
    neighbours: tuple[Neighbour, ...]
    pullable: str | None
    sudo_docker: bool


def parse_inspection(stdout: str) -> Inspection | None:
    """The answer to `docker.inspect`; None for one that makes no sense."""
    try:
        found = sections(stdout)
        lines = found["neighbours"].lines
        registry = found.get("registry")
        return Inspection(
            engine=_engine(found["engine"], found["room"]),
            hardware=_hardware(found["hardware"].pairs),
            # A container's command may have lines of its own.
            neighbours=tuple(_neighbour(line) for line in lines if line.count("\t") >= COLUMNS - 1),
            pullable=None if registry is None else registry.words if registry.exit_code else "",
            sudo_docker="sudo" in found and found["sudo"].exit_code == 0,
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _engine(info: Section, room: Section) -> Engine | None:
    """None also for what is not Docker's own, as podman's."""
    report: dict[str, Any] = {} if info.exit_code else json.loads(info.text)
    if not report.get("ServerVersion"):
        return None
    free = room.text.strip()
    return Engine(
        version=str(report["ServerVersion"]),
        architecture=str(report.get("Architecture", "")),
        root=str(report.get("DockerRootDir", "")),
        free=int(free) * KIB if free.isdecimal() else None,
    )


def _hardware(found: Mapping[str, str]) -> Hardware:
    values: dict[str, Any] = {key: int(found.get(key) or 0) for key in COUNTS}
    values |= {key: found.get(key, "") for key in ("nvidia_driver", "nvidia_toolkit")}
    return Hardware(**values, infiniband=tuple(found.get("infiniband", "").split()))


def _neighbour(line: str) -> Neighbour:
    name, cluster, state, command = line.split("\t", COLUMNS - 1)
    return Neighbour(name, cluster, state == "running", command)
