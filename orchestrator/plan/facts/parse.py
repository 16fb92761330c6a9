"""Parsers of what `docker.observe` prints on a host."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from orchestrator.model.secret import Secret
from orchestrator.plan import lock
from orchestrator.plan.facts.docker_engine import parse_engine
from orchestrator.plan.facts.host import (
    Address,
    Container,
    Folder,
    HostFacts,
    Listener,
    Machine,
    Neighbour,
    RayTable,
    RayTrouble,
    Unreachable,
    runs,
)
from orchestrator.plan.facts.image import ImageInfo, parse_image
from orchestrator.plan.facts.sections import KIB, Section, complaints, sections
from orchestrator.plan.host_commands import TOKEN
from orchestrator.plan.lock import Holder
from orchestrator.plan.problem import Problem, exited, headline
from orchestrator.plan.ray import commands as ray
from orchestrator.plan.remedies import TIMED_OUT, docker_problem
from orchestrator.plan.serving.state import Served, Stopped, parse_servers

NO_TERMINAL = (
    "let commands run there without a terminal: what gives them one may be a forced command that records sessions, "
    "such as ForceCommand script …"
)
ROWS, COLUMNS = "\035", 5
"""What stands before the list of containers, and how many columns each has."""
TICKS = 100
"""A second, in the unit of /proc/PID/stat: proc_pid_stat(5), and USER_HZ of every Linux there is."""
EVERYWHERE = ("0.0.0.0", "::", "*")  # noqa: S104 - as `ss` writes it


def parse_host_facts(stdout: str, stderr: str) -> HostFacts | Unreachable:
    """The facts in one answer of `docker.observe`."""
    try:
        found = sections(stdout)
        if found["addresses"].exit_code:
            complaint = found["addresses"].words
            return Unreachable(f"cannot tell its addresses: {complaint}", "install iproute2 there")
        return _facts(found)
    except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
        if "\r\n" in stdout:  # sshd sends what is printed as it is; a terminal does not
            return Unreachable(
                "gave an answer that a terminal has changed: its lines end in CR LF", NO_TERMINAL
            )
        words = " ".join(" ".join((stderr, *complaints(stdout))).split())
        return Unreachable(
            f"gave an answer that could not be read ({type(error).__name__}: {error}): {words}"
        )


def parse_ray(stdout: str) -> RayTable | RayTrouble:
    """Ray's table in the answer of `docker.ask_ray`."""
    return _ray(sections(stdout).get("ray")) or RayTrouble("no answer", gone=False)


def _facts(found: Mapping[str, Section]) -> HostFacts:
    now, home, infiniband, gpus = found["host"].lines
    image, token, served = _image(found["image"]), found["token"], found.get("served")
    unheard = ""
    if served and served.exit_code:
        unheard = (
            "no answer in time"
            if served.exit_code == TIMED_OUT
            else headline(served.complaint) or "no answer"
        )
    servers = parse_servers(served.text) if served else ()
    interfaces = json.loads(found["addresses"].text)
    return HostFacts(
        now=float(now),
        home=home,
        addresses=_addresses(interfaces),
        interfaces=tuple(each["ifname"] for each in interfaces if each.get("addr_info")),
        infiniband=infiniband != "none",
        gpus=int(gpus) or None,
        docker=_containers(found["containers"]),
        neighbours=tuple(_neighbours(found["containers"])),
        image_id=image.id if image else "",
        image_layers=image.layers if image else (),
        image_env=image.env if image else (),
        image_entrypoint=image.entrypoint if image else (),
        processes=frozenset(line.split()[-1] for line in found["processes"].lines if line.split()),
        token=Secret(TOKEN, token.text.strip()) if token.exit_code == 0 and token.text.strip() else None,
        ray=_ray(found.get("ray")),
        machine=_machine(found.get("machine")),
        listeners=_listeners(found.get("listeners")),
        derived=_image(found.get("derived")),
        base=_image(found.get("base")),
        served=tuple(each for each in servers if isinstance(each, Served)),
        stopped=tuple(each for each in servers if isinstance(each, Stopped)),
        unheard=unheard,
        engine=parse_engine(found.get("engine")),
        holder=_holder(found.get("lock"), now),
        **_since(float(now), found.get("since")),
    )


def _holder(section: Section | None, now: str) -> Holder | None:
    """Who has the cluster's lock, if this is its head."""
    return lock.parse(f"{section.text}{now}") if section and section.exit_code == 0 else None


def _since(now: float, section: Section | None) -> dict[str, float]:
    """When the host was booted, as its first process tells, and when Docker's daemon was started."""
    found = section.pairs if section else {}
    times = {"engine_started": float(found["engine"])} if found.get("engine") else {}
    if found.get("up") and found.get("first"):
        times["booted"] = now - float(found["up"]) + float(found["first"]) / TICKS
    return times


def _addresses(interfaces: list[dict[str, Any]]) -> tuple[Address, ...]:
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
    found = section.pairs
    free = int(found["free"]) * KIB if found.get("free") else None
    exists = None if found.get("exists") == "unknown" else "exists" in found
    folder = Folder(found["path"], exists, free)
    memory, missing = int(found["memory"] or 0) * KIB, tuple(found.get("missing", "").split())
    lacks = tuple(found.get("lacks", "").split())
    name, address, kernel = found["hostname"], found["resolves_to"], found.get("kernel", "")
    return Machine(name, address, memory, folder, missing, kernel, lacks)


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


def _image(section: Section | None) -> ImageInfo | None:
    return None if section is None or section.exit_code else parse_image(section.text)


def _containers(section: Section) -> tuple[Container, ...] | Problem:
    if code := section.exit_code:
        silent = "Docker does not answer" if code == TIMED_OUT else f"docker ps: exit code {code}"
        return docker_problem(code, section.complaint or silent)
    if not section.text.strip():
        return docker_problem(1, section.complaint or "docker tells nothing of its containers")
    found = json.loads(section.text.partition(ROWS)[0])
    return tuple({each["Id"]: _container(each) for each in found}.values())


def _neighbours(section: Section) -> Iterator[Neighbour]:
    """Of the list of all clusters' containers those that are not among the ones described before it."""
    described, _, rows = section.text.partition(ROWS)
    for row in rows.splitlines():
        columns = row.split("\t", COLUMNS - 1)
        if len(columns) == COLUMNS and columns[0] not in described:
            _, cluster, name, state, command = columns
            yield Neighbour(name, cluster, runs(state), command)


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
        restart=((inspected.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name", ""),
    )


def _ray(section: Section | None) -> RayTable | RayTrouble | None:
    if section is None:
        return None
    if section.exit_code:
        return RayTrouble(exited(section.exit_code, section.complaint).text, gone=False)
    return ray.parse_table(section.text)


def seconds(timestamp: str) -> float:
    """Docker's RFC 3339 time as seconds since the epoch; its year 1 for "never" becomes 0."""
    moment = datetime.fromisoformat(timestamp)
    return moment.timestamp() if moment.year > 1 else 0.0
