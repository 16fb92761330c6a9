"""Docker's engine as it describes itself in `docker info`, and the parser of that."""

import json
from enum import StrEnum
from typing import Any

from orchestrator.frozen import dataclass
from orchestrator.plan.facts.sections import Section


class Maker(StrEnum):
    """Whose engine it is, and what people call it."""

    DOCKER = "Engine"
    PODMAN = "Podman"


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine that `docker` speaks to. Fields are empty where it tells nothing.

    `hostname`, `kernel` and `memory` (bytes) are of the machine that it runs on, which may be another. `context` or
    `variable` (NAME=VALUE) may have chosen it. `runtime` and `log_driver` are what containers get without arguments.
    `free`: bytes where it keeps its data. `runtimes`: all that it may be told to take; `devices`: what it knows by CDI,
    which it tells from 28.3 on (API 1.50).
    """

    version: str
    architecture: str
    root: str
    free: int | None = None
    hostname: str = ""
    kernel: str = ""
    memory: int = 0
    context: str = ""
    variable: str = ""
    rootless: bool = False
    maps_users: bool = False
    runtime: str = ""
    log_driver: str = ""
    maker: Maker = Maker.DOCKER
    runtimes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


def parse_engine(info: Section | None) -> Engine | None:
    """The engine in the section that has `docker info`; None where it gave no answer that makes sense."""
    if info is None or info.exit_code:
        return None
    try:
        told, end = json.JSONDecoder().raw_decode(text := info.text.strip())
        if isinstance(told.get("host"), dict):
            return _podman(told, told["host"])
        return _docker(told, text[end:].strip().partition("\n")[0]) if told.get("ServerVersion") else None
    except (ValueError, TypeError, AttributeError):
        return None


def _docker(told: dict[str, Any], variable: str) -> Engine:
    options = {str(option).partition(",")[0] for option in told.get("SecurityOptions") or ()}
    return Engine(
        version=str(told["ServerVersion"]),
        architecture=str(told.get("Architecture", "")),
        root=str(told.get("DockerRootDir", "")),
        hostname=str(told.get("Name") or ""),
        kernel=str(told.get("KernelVersion") or ""),
        memory=int(told.get("MemTotal") or 0),
        context=str((told.get("ClientInfo") or {}).get("Context") or ""),
        variable=variable,
        rootless="name=rootless" in options,
        maps_users="name=userns" in options,
        runtime=str(told.get("DefaultRuntime") or ""),
        log_driver=str(told.get("LoggingDriver") or ""),
        runtimes=tuple(told.get("Runtimes") or ()),
        devices=tuple(str(each.get("ID")) for each in told.get("DiscoveredDevices") or ()),
    )


def _podman(told: dict[str, Any], host: dict[str, Any]) -> Engine:
    """Its containers without root are in the host's network all the same, so that is not told."""
    return Engine(
        version=str((told.get("version") or {}).get("Version") or ""),
        architecture=str(host.get("arch") or ""),
        root=str((told.get("store") or {}).get("graphRoot") or ""),
        hostname=str(host.get("hostname") or ""),
        kernel=str(host.get("kernel") or ""),
        memory=int(host.get("memTotal") or 0),
        log_driver=str(host.get("logDriver") or ""),
        maker=Maker.PODMAN,
    )
