"""Reads what `docker.observe` prints on a host into facts, and what a container's state says."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from orchestrator.model.secret import Secret
from orchestrator.plan.facts import image as held
from orchestrator.plan.facts.host import (
    Address,
    Container,
    DockerTrouble,
    Folder,
    HostFacts,
    Listener,
    Machine,
    RayTable,
    RayTrouble,
    Unreachable,
)
from orchestrator.plan.facts.image import ImageInfo
from orchestrator.plan.facts.sections import KIB, Section, complaints, sections
from orchestrator.plan.host_commands import TOKEN
from orchestrator.plan.ray import commands as ray
from orchestrator.plan.remedies import TIMED_OUT
from orchestrator.plan.serving import state as served

EVERYWHERE = ("0.0.0.0", "::", "*")  # noqa: S104 - as `ss` writes it


def parse_host_facts(stdout: str, stderr: str) -> HostFacts | Unreachable:
    """The facts in one answer of `docker.observe`."""
    try:
        told = sections(stdout)
        if told["addresses"].exit_code:
            complaint = told["addresses"].complaint
            return Unreachable(f"cannot tell its addresses: {complaint}", "install iproute2 there")
        return _facts(told)
    except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
        words = " ".join(" ".join((stderr, *complaints(stdout))).split())
        return Unreachable(
            f"gave an answer that could not be read ({type(error).__name__}: {error}): {words}"
        )


def parse_ray(stdout: str) -> RayTable | RayTrouble:
    """Ray's table in the answer of `docker.ask_ray`."""
    return _ray(sections(stdout).get("ray")) or RayTrouble("no answer", gone=False)


def _facts(told: Mapping[str, Section]) -> HostFacts:
    now, home, infiniband, gpus = told["host"].lines
    image, token = told["image"], told["token"]
    return HostFacts(
        now=float(now),
        home=home,
        addresses=_addresses(told["addresses"]),
        infiniband=infiniband != "none",
        gpus=int(gpus) or None,
        docker=_containers(told["containers"]),
        image_id="" if image.exit_code else image.text.strip(),
        processes=frozenset(line.split()[-1] for line in told["processes"].lines if line.split()),
        token=Secret(TOKEN, token.text.strip()) if token.exit_code == 0 and token.text.strip() else None,
        ray=_ray(told.get("ray")),
        machine=_machine(told.get("machine")),
        listeners=_listeners(told.get("listeners")),
        derived=_held(told.get("derived")),
        base=_held(told.get("base")),
        served=served.parse_served(told["served"].text) if "served" in told else None,
        unheard=_unheard(told.get("served")),
    )


def _unheard(section: Section | None) -> str:
    if section is None or not section.exit_code:
        return ""
    return "no answer in time" if section.exit_code == TIMED_OUT else section.complaint or "no answer"


def _addresses(section: Section) -> tuple[Address, ...]:
    interfaces = json.loads(section.text)
    return tuple(
        Address(
            interface["ifname"],
            str(ip_address(address["local"])),
            interface.get("mtu", 0),
            interface.get("address", ""),
            address.get("prefixlen", 0),
        )
        for interface in interfaces
        for address in interface.get("addr_info", ())
        if address.get("scope") == "global"
    )


def _machine(section: Section | None) -> Machine | None:
    if section is None:
        return None
    told = section.pairs
    free = int(told["free"]) * KIB if told.get("free") else None
    exists = None if told.get("exists") == "unknown" else "exists" in told
    folder = Folder(told["path"], exists, free)
    memory, missing = int(told["memory"] or 0) * KIB, tuple(told.get("missing", "").split())
    return Machine(told["hostname"], told["resolves_to"], memory, folder, missing)


def _listeners(section: Section | None) -> tuple[Listener, ...] | None:
    """What `ss -Hltnp` tells; None where there is no `ss`."""
    if section is None or section.exit_code:
        return None
    return tuple(_listener(line.split(maxsplit=5)) for line in section.lines if line.strip())


def _listener(columns: list[str]) -> Listener:
    address, _, port = columns[3].rpartition(":")
    by = re.search(r'"(.*?)",pid=(\d+)', " ".join(columns[5:]))
    bare = address.strip("[]").partition("%")[0].removeprefix("::ffff:")
    who = f"{by[1]} (pid {by[2]})" if by else ""
    return Listener("*" if bare in EVERYWHERE else bare, int(port), who)


def _held(section: Section | None) -> ImageInfo | None:
    return None if section is None or section.exit_code else held.parse_image(section.text)


def _containers(section: Section) -> tuple[Container, ...] | DockerTrouble:
    if section.exit_code:
        return DockerTrouble(section.exit_code, section.complaint or _wordless(section.exit_code))
    if not section.text.strip():
        return DockerTrouble(1, section.complaint or "docker tells nothing of its containers")
    found = json.loads(section.text)
    return tuple({each["Id"]: _container(each) for each in found}.values())


def _wordless(exit_code: int) -> str:
    return "Docker gives no answer" if exit_code == TIMED_OUT else f"docker ps: exit code {exit_code}"


def _container(inspected: dict[str, Any]) -> Container:
    state, config = inspected["State"], inspected["Config"]
    labels = config["Labels"] or {}
    return Container(
        id=inspected["Id"],
        name=inspected["Name"].lstrip("/"),
        cluster=labels.get("raycluster.cluster", ""),
        role=labels.get("raycluster.role", ""),
        spec=labels.get("raycluster.spec", ""),
        status=state["Status"],
        running=state["Running"] and not state["Restarting"],
        exit_code=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        error=state["Error"],
        started=seconds(state["StartedAt"]),
        finished=seconds(state["FinishedAt"]),
        restarts=inspected["RestartCount"],
        image=config["Image"],
        image_id=inspected["Image"],
        command=" ".join(inspected["Args"]),
        env=frozenset(config["Env"] or ()),
    )


def _ray(section: Section | None) -> RayTable | RayTrouble | None:
    if section is None:
        return None
    if section.exit_code:
        return RayTrouble(section.complaint or f"exit code {section.exit_code}", gone=False)
    return ray.parse_table(section.text)


def seconds(timestamp: str) -> float:
    """Docker's RFC 3339 time as seconds since the epoch; its year 1 for "never" becomes 0."""
    moment = datetime.fromisoformat(timestamp)
    return moment.timestamp() if moment.year > 1 else 0.0
