"""What `check` and `init` alone inspect of a host: Docker's own report, the hardware, what else is there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.docker_engine import Engine, parse_engine
from orchestrator.plan.facts.sections import KIB, Section, sections

COUNTS = ("nvidia_cards", "nvidia_usable", "amd", "intel", "ascend")
COLUMNS = 4  # of a neighbour, as INSPECT prints them


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
    """What was found; unknown parts are None. `pullable`: the registry's refusal, empty for its yes.

    `boot` tells the running kernel from any other, `network` its network namespace, which is the host's.
    """

    engine: Engine | None
    hardware: Hardware
    neighbours: tuple[Neighbour, ...]
    pullable: str | None
    sudo_docker: bool
    boot: str = ""
    network: str = ""


def parse_inspection(stdout: str) -> Inspection | None:
    """The answer to `docker.inspect`; None for one that makes no sense."""
    try:
        found = sections(stdout)
        lines = found["neighbours"].lines
        registry = found.get("registry")
        place = found["place"].pairs
        return Inspection(
            engine=_engine(found["engine"], found["room"]),
            hardware=_hardware(found["hardware"].pairs),
            # A container's command may have lines of its own.
            neighbours=tuple(_neighbour(line) for line in lines if line.count("\t") >= COLUMNS - 1),
            pullable=None if registry is None else registry.words if registry.exit_code else "",
            sudo_docker="sudo" in found and found["sudo"].exit_code == 0,
            boot=place.get("boot", ""),
            network=place.get("network", ""),
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _engine(info: Section, room: Section) -> Engine | None:
    engine, free = parse_engine(info), room.text.strip()
    return replace(engine, free=int(free) * KIB) if engine and free.isdecimal() else engine


def _hardware(found: Mapping[str, str]) -> Hardware:
    values: dict[str, Any] = {key: int(found.get(key) or 0) for key in COUNTS}
    values |= {key: found.get(key, "") for key in ("nvidia_driver", "nvidia_toolkit")}
    return Hardware(**values, infiniband=tuple(found.get("infiniband", "").split()))


def _neighbour(line: str) -> Neighbour:
    name, cluster, state, command = line.split("\t", COLUMNS - 1)
    return Neighbour(name, cluster, state == "running", command)
