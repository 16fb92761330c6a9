"""What `check` and `init` alone inspect of a host: Docker's own report, the hardware, what else is there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Accelerator
from orchestrator.plan.facts.docker_engine import Engine, parse_engine
from orchestrator.plan.facts.host import Neighbour, runs
from orchestrator.plan.facts.sections import KIB, Section, sections

COUNTS = ("nvidia_cards", "nvidia_usable")
OTHERS = (Accelerator.AMD, Accelerator.GAUDI, Accelerator.ASCEND, Accelerator.INTEL, Accelerator.TPU)
"""The clearer ones first: Intel's device files are those of other makers' cards, too, and a TPU's are those of anything
that is handed to a virtual machine."""
TEXTS = ("nvidia_driver", "nvidia_trouble", "nvidia_toolkit", "nvidia_hook", "nvidia_cdi_hook", "nvidia_cdi")
COLUMNS = 4  # of a neighbour, as INSPECT prints them


@dataclass(frozen=True, slots=True)
class Hardware:
    """Accelerators and RDMA devices of a host. Counts are of devices; `others`: of those that are not NVIDIA's.

    `nvidia_hook` is what Docker's --gpus runs, `nvidia_cdi_hook` what it may run instead from 29.2 on, `nvidia_toolkit`
    the first program of the toolkit that is there, `nvidia_cdi` a file that describes the GPUs. `nvidia_trouble`: what
    nvidia-smi says besides them.
    """

    nvidia_cards: int
    nvidia_driver: str
    nvidia_usable: int
    nvidia_toolkit: str
    others: tuple[tuple[Accelerator, int], ...]
    infiniband: tuple[str, ...]
    nvidia_hook: str = ""
    nvidia_cdi_hook: str = ""
    nvidia_cdi: str = ""
    nvidia_trouble: str = ""

    def count(self, accelerator: Accelerator) -> int:
        """How many there are of it; for NVIDIA, as many as the driver lists, else as are on the bus."""
        if accelerator is Accelerator.NVIDIA:
            return self.nvidia_usable or self.nvidia_cards
        return dict(self.others).get(accelerator, 0)


@dataclass(frozen=True, slots=True)
class Restarter:
    """What starts Podman's containers after a reboot: a unit of systemd. `state`: as systemd has it, empty for none.

    `starts`: its filter. `lingers`: whether anything of a user who is not root is started before he logs in, and stays
    when he has logged out; None for root.
    """

    state: str
    starts: str
    lingers: bool | None = None


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
    restarter: Restarter | None = None


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
            restarter=_restarter(found.get("restarter")),
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _engine(info: Section, room: Section) -> Engine | None:
    engine, free = parse_engine(info), room.text.strip()
    return replace(engine, free=int(free) * KIB) if engine and free.isdecimal() else engine


def _restarter(section: Section | None) -> Restarter | None:
    told = section.pairs if section else {}
    if "state" not in told:
        return None
    lingers = told["lingers"] == "yes" if "lingers" in told else None
    return Restarter(told["state"], told.get("starts", ""), lingers)


def _hardware(found: Mapping[str, str]) -> Hardware:
    values: dict[str, Any] = {key: int(found.get(key) or 0) for key in COUNTS}
    values |= {key: found.get(key, "") for key in TEXTS}
    others = tuple((each, int(found.get(each) or 0)) for each in OTHERS)
    return Hardware(**values, others=others, infiniband=tuple(found.get("infiniband", "").split()))


def _neighbour(line: str) -> Neighbour:
    name, cluster, state, command = line.split("\t", COLUMNS - 1)
    return Neighbour(name, cluster, runs(state), command)
