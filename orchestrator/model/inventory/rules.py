"""What has to hold between the parts of an inventory: between a host's keys, and between hosts."""

import shlex
from collections.abc import Iterable, Iterator
from itertools import chain

from orchestrator.model.cluster import LOCAL, PINNED_PORTS, WORKER_PORTS, Ports
from orchestrator.model.inventory import addresses, arguments
from orchestrator.model.inventory.mistakes import Fault, Path, dotted, quoted
from orchestrator.model.inventory.models import Host, Inventory, Machine
from orchestrator.model.inventory.ranges import count, is_range
from orchestrator.model.inventory.values import HIGHEST_PORT
from orchestrator.model.select import RESERVED

LONGEST = 100_000
"""sshd hands the line to a shell as one argument, for which Linux has 131,071 bytes; ours take the rest."""


def lengths(part: Inventory | Host) -> dict[Path, int]:
    """The bytes on the line, by where they are written; nothing for what is not."""
    env = (f"{name}={value}" for name, value in (part.env or {}).items())
    docker = (part.docker and part.docker.args) or ()
    ray = (part.ray and part.ray.args) or ()
    filled = {
        ("env",): _length(env),
        ("docker", "args"): _length(docker),
        ("ray", "args"): _length(map(shlex.quote, ray)),
    }
    return {path: length for path, length in filled.items() if length}


def _length(words: Iterable[str]) -> int:
    return sum(len(shlex.quote(word).encode(errors="replace")) + len(" -e ") for word in words)


VLLM_HOST_IP = "VLLM_HOST_IP"
_LABEL = "raycluster."
_REMOVE_IT = 'remove it: it is set from each host\'s "ip"'

Hosts = dict[Path, Host]
Machines = dict[Path, tuple[Machine, ...]]


def broken(inventory: Inventory) -> Iterator[Fault]:
    """Every rule that does not hold."""
    hosts = dict(inventory.hosts())
    even = {path: host for path, host in hosts.items() if not any(_uneven(path, host))}
    machines = {path: host.machines() for path, host in even.items()}
    yield from chain.from_iterable(_uneven(path, host) for path, host in hosts.items())
    yield from _addressless(inventory, hosts)
    yield from _unnameable(hosts)
    yield from _reserved_names(hosts, machines)
    yield from _taken_twice(hosts, machines)
    yield from _local(hosts)
    yield from _ports(inventory)
    yield from _secrets(inventory, hosts)
    yield from _labels(inventory, hosts)
    yield from _too_long(inventory, hosts)
    yield from _other_ips(inventory, even, machines)


def _uneven(path: Path, host: Host) -> Iterator[Fault]:
    """Ranges that do not stand for equally many machines."""
    if path == ("head",) and is_range(host.host):
        yield Fault((*path, "host"), "the head is one host; a range stands for workers")
        return
    for key, written in (("ip", host.ip), ("name", host.name)):
        if written and count(written) != host.size:
            yield Fault(
                (*path, key), f"stands for {_many(count(written), key)}, but {_many(host.size, 'host')}"
            )


def _addressless(inventory: Inventory, hosts: Hosts) -> Iterator[Fault]:
    for path, host in hosts.items():
        if not host.ip and not inventory.network:
            yield Fault(path, 'needs an "ip", or the file a "network" to find it in')


def _unnameable(hosts: Hosts) -> Iterator[Fault]:
    for path, host in hosts.items():
        if not host.name and not addresses.is_name(host.host.replace("[", "").replace("]", "")):
            yield Fault(
                (*path, "host"),
                f'{quoted(host.host)} cannot be in a container\'s name; give the host a "name"',
            )


def _reserved_names(hosts: Hosts, machines: Machines) -> Iterator[Fault]:
    for path, found in machines.items():
        for member in found:
            if member.name in RESERVED and (path, member.name) != (("head",), "head"):
                message = (
                    f'{quoted(member.name)} means the {member.name} in --limit; give the host another "name"'
                )
                yield Fault(_name(path, hosts[path]), message)


def _taken_twice(hosts: Hosts, machines: Machines) -> Iterator[Fault]:
    """Names and addresses that another machine above has."""
    names: dict[str, Path] = {}
    ips: dict[str, Path] = {}
    for path, found in machines.items():
        for member in found:
            if member.name in names:
                yield Fault(
                    _name(path, hosts[path]),
                    f"{quoted(member.name)} is also the name of {dotted(names[member.name])}",
                )
            if member.ip in ips:
                yield Fault((*path, "ip"), f"{quoted(member.ip)} is also the ip of {dotted(ips[member.ip])}")
            names.setdefault(member.name, path)
            if member.ip:
                ips.setdefault(member.ip, path)


def _local(hosts: Hosts) -> Iterator[Fault]:
    """One host at most is this machine, and nothing of SSH is for it."""
    local = [path for path, host in hosts.items() if host.host == LOCAL]
    for path in local[1:]:
        yield Fault((*path, "host"), f"{quoted(LOCAL)} is this machine, and {dotted(local[0])} is it already")
    for path in local:
        if hosts[path].ssh:
            yield Fault(
                (*path, "ssh"), "this host is this machine, reached without SSH; remove it", at_key=True
            )


def _ports(inventory: Inventory) -> Iterator[Fault]:
    """Ray refuses to start with a port of its own among those of its workers."""
    if inventory.ray is None or inventory.ray.port is None:
        return
    pinned = inventory.ray.ports is Ports.PINNED
    taken = range(inventory.ray.port, inventory.ray.port + (PINNED_PORTS if pinned else 1))
    what = (
        f"ports {taken.start} to {taken.stop - 1} are Ray's own" if pinned else f"{taken.start} is Ray's own"
    )
    if taken.stop - 1 > HIGHEST_PORT:
        yield Fault(("ray", "port"), f"{what}, and the highest port is {HIGHEST_PORT}; write a lower one")
    elif set(taken) & set(WORKER_PORTS):
        workers = f"{WORKER_PORTS.start} to {WORKER_PORTS.stop - 1} are its workers'"
        yield Fault(("ray", "port"), f"{what}, but {workers}; write one outside")


def _secrets(inventory: Inventory, hosts: Hosts) -> Iterator[Fault]:
    plain = set(inventory.env or ()).union(*(host.env or () for host in hosts.values()))
    seen: set[str] = set()
    for i, name in enumerate(inventory.secrets or ()):
        if name and name in seen:
            yield Fault(("secrets", i), f"{quoted(name)} is listed twice")
        if name in plain:
            yield Fault(("secrets", i), f'{quoted(name)} is also in "env"; a secret belongs here alone')
        if name == VLLM_HOST_IP:
            yield Fault(("secrets", i), f"{name} is no secret; {_REMOVE_IT}")
        seen.add(name)


def _labels(inventory: Inventory, hosts: Hosts) -> Iterator[Fault]:
    for path, args in _docker_args(inventory, hosts):
        for i, label in arguments.labels(args):
            if label.startswith(_LABEL):
                yield Fault((*path, i), f"labels that start with {quoted(_LABEL)} are raycluster's own")


def _too_long(inventory: Inventory, hosts: Hosts) -> Iterator[Fault]:
    """What is too long for one host is said once, where most of it is written."""
    shared = lengths(inventory)
    if sum(shared.values()) > LONGEST:
        yield _longest((), shared)
        return
    for path, host in hosts.items():
        own = lengths(host)
        if own and sum((*shared.values(), *own.values())) > LONGEST:
            yield _longest(path, own)


def _longest(path: Path, written: dict[Path, int]) -> Fault:
    at = max(written, key=lambda each: written[each])
    return Fault(
        (*path, *at), f"makes a command line of more than {LONGEST:,} characters, which no host would take"
    )


def _other_ips(inventory: Inventory, hosts: Hosts, machines: Machines) -> Iterator[Fault]:
    """A VLLM_HOST_IP that is not the `ip` of each machine it holds for."""
    everyone = tuple(chain.from_iterable(machines.values()))
    for path, written in _host_ips(inventory, hosts):
        concerned = next(
            (found for where, found in machines.items() if path[: len(where)] == where), everyone
        )
        if message := _contradiction(addresses.normal(written), concerned):
            yield Fault(path, message)


def _host_ips(inventory: Inventory, hosts: Hosts) -> Iterator[tuple[Path, str]]:
    for path, part in _parts(inventory, hosts):
        if part.env and VLLM_HOST_IP in part.env:
            yield (*path, "env", VLLM_HOST_IP), part.env[VLLM_HOST_IP]
    for path, args in _docker_args(inventory, hosts):
        for i, variable in arguments.variables(args):
            if variable.startswith(f"{VLLM_HOST_IP}="):
                yield (*path, i), variable.partition("=")[2]


def _contradiction(written: str, machines: tuple[Machine, ...]) -> str:
    if all(member.ip == written for member in machines):
        return ""
    if len(machines) > 1:
        return f"{VLLM_HOST_IP} would be the same on {len(machines)} hosts; {_REMOVE_IT}"
    if not machines[0].ip:
        return f'{VLLM_HOST_IP} is set from the host\'s "ip"; write ip: {written} instead'
    return f'{VLLM_HOST_IP} is {quoted(written)}, but the host\'s ip is "{machines[0].ip}"; {_REMOVE_IT}'


def _docker_args(inventory: Inventory, hosts: Hosts) -> Iterator[tuple[Path, tuple[str, ...]]]:
    for path, part in _parts(inventory, hosts):
        if part.docker and part.docker.args:
            yield (*path, "docker", "args"), part.docker.args


def _parts(inventory: Inventory, hosts: Hosts) -> Iterator[tuple[Path, Inventory | Host]]:
    yield (), inventory
    yield from hosts.items()


def _name(path: Path, host: Host) -> Path:
    """Where a host's name is written."""
    return (*path, "name" if host.name else "host")


def _many(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}s"
