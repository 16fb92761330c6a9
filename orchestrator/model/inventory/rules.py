"""Rules between the parts of an inventory: between a host's keys, and between hosts."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

from orchestrator.model.accelerators import KINDS, listed
from orchestrator.model.cluster import (
    LOCAL,
    PINNED_PORTS,
    WORKER_PORTS,
    Accelerator,
    Auth,
    Cluster,
    Engine,
    GetOn,
    Node,
    Ports,
    Role,
    server_name,
)
from orchestrator.model.inventory import addresses, arguments
from orchestrator.model.inventory.container_rules import check_containers
from orchestrator.model.inventory.mistakes import Fault, Path, dotted, quoted
from orchestrator.model.inventory.models import Host, Image, Inventory, Machine
from orchestrator.model.inventory.ranges import count, is_range
from orchestrator.model.inventory.values import HIGHEST_PORT
from orchestrator.model.select import RESERVED, NoMatch, select

LONGEST = 100_000
"""sshd hands the line to a shell as one argument, for which Linux has 131,071 bytes; ours take the rest."""
VLLM_HOST_IP = "VLLM_HOST_IP"
ROCR, CUDA = "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"
TOKENS = {
    "RAY_AUTH_MODE": "use ray.auth",
    "RAY_AUTH_TOKEN": "remove it",
    "RAY_AUTH_TOKEN_PATH": "remove it",
}
"""How Ray is told of a token, and what to do instead."""
HEAD: Path = ("head",)
TEMP_DIR = "--temp-dir"
LONGEST_TEMP_DIR = 49
"""Linux has 107 bytes for a socket's path, and Ray 2.31 to 2.60 does not start where its own is longer: it adds
`/session_2026-11-29_21-16-22_123456_7/sockets/plasma_store`, and more where its process has a higher number."""
_LABEL = "raycluster."
_REMOVE_IT = 'remove it: it is set from each host\'s "ip"'

Hosts = Mapping[Path, Host]
Machines = Mapping[Path, tuple[Machine, ...]]


def check_rules(inventory: Inventory) -> Iterator[Fault]:
    """A fault for each rule that does not hold."""
    hosts = dict(inventory.hosts())
    uneven = {path: tuple(_check_ranges(path, host)) for path, host in hosts.items()}
    machines = {path: host.machines() for path, host in hosts.items() if not uneven[path]}
    yield from chain.from_iterable(uneven.values())
    for path, host in hosts.items():
        yield from _check_host(path, host, inventory)
    yield from _check_names_and_ips(hosts, machines)
    yield from _check_local(hosts)
    yield from _check_image(inventory)
    yield from _check_ports(inventory)
    yield from _check_secrets(inventory, hosts)
    yield from _check_models(inventory, machines)
    yield from _of_each(_check_interfaces, inventory, hosts)
    if (inventory.engine or Engine.RAY).has_ray:
        yield from _check_token(inventory, hosts)
        yield from _check_temp_dir(inventory, hosts)
        yield from _of_each(_check_devices, inventory, hosts)
    yield from check_containers(inventory, hosts)
    yield from _check_labels({(): inventory, **hosts})
    yield from _check_lengths(inventory, hosts)
    yield from _check_host_ips({(): inventory} | {path: hosts[path] for path in machines}, machines)


def _of_each(
    check: Callable[[Inventory, Path, Host], Iterator[Fault]], inventory: Inventory, hosts: Hosts
) -> Iterable[Fault]:
    """The faults of all hosts; what is written for all of them is one."""
    return dict.fromkeys(chain.from_iterable(check(inventory, path, host) for path, host in hosts.items()))


def _check_ranges(path: Path, host: Host) -> Iterator[Fault]:
    """Ranges have to stand for equally many machines."""
    if path == HEAD and is_range(host.host):
        yield Fault((*path, "host"), "the head is one host; a range stands for workers")
        return
    for key, written in (("ip", host.ip), ("name", host.name)):
        if written and count(written) != host.size:
            message = f"stands for {_many(count(written), key)}, but {_many(host.size, 'host')}"
            yield Fault((*path, key), message)


def _check_host(path: Path, host: Host, inventory: Inventory) -> Iterator[Fault]:
    """A host has an address, and a name that containers can have."""
    if not host.ip and not inventory.network:
        yield Fault(path, 'needs an "ip", or the file a "network" to find it in')
    if not host.name and not addresses.is_name(host.host.replace("[", "").replace("]", "")):
        message = f'{quoted(host.host)} cannot be in a container\'s name; give the host a "name"'
        yield Fault((*path, "host"), message)


def _check_names_and_ips(hosts: Hosts, machines: Machines) -> Iterator[Fault]:
    """No name is one of `--limit`'s own words, and no name or address is that of a machine above."""
    names: dict[str, Path] = {}
    ips: dict[str | None, Path] = {}
    for path, found in machines.items():
        named = (*path, "name" if hosts[path].name else "host")
        for name, _, ip in found:
            if name in RESERVED and (path, name) != (HEAD, "head"):
                message = f'{quoted(name)} means the {name} in --limit; give the host another "name"'
                yield Fault(named, message)
            if name in names:
                yield Fault(named, f"{quoted(name)} is also the name of {dotted(names[name])}")
            if ip and ip in ips:
                yield Fault((*path, "ip"), f"{quoted(ip)} is also the ip of {dotted(ips[ip])}")
            names.setdefault(name, path)
            ips.setdefault(ip, path)


def _check_local(hosts: Hosts) -> Iterator[Fault]:
    """One host at most is this machine, and nothing of SSH is for it."""
    local = [path for path, host in hosts.items() if host.host == LOCAL]
    for path in local[1:]:
        yield Fault((*path, "host"), f"{quoted(LOCAL)} is this machine, and {dotted(local[0])} is it already")
    for path in local:
        if hosts[path].ssh:
            message = "this host is this machine, reached without SSH; remove it"
            yield Fault((*path, "ssh"), message, at_key=True)


def _check_image(inventory: Inventory) -> Iterator[Fault]:
    """Docker knows a digest only of what it has pulled; what the head builds has a tag of our own."""
    image, builds = inventory.image, inventory.ray and inventory.ray.install
    if isinstance(image, Image) and image.get_on is GetOn.HEAD and "@" in (image.from_ or "") and not builds:
        message = "a copy of the head's image does not carry its digest: name the image by a tag"
        yield Fault(("image", "from"), message)


def _check_ports(inventory: Inventory) -> Iterator[Fault]:
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


def _check_secrets(inventory: Inventory, hosts: Hosts) -> Iterator[Fault]:
    plain = set(inventory.env or ()).union(*(host.env or () for host in hosts.values()))
    seen: set[str] = set()
    for i, name in enumerate(inventory.secrets or ()):
        if name and name in seen:
            yield Fault(("secrets", i), f"{quoted(name)} is listed twice")
        if name in plain:
            yield Fault(("secrets", i), f'{quoted(name)} is also in "env"; a secret belongs here alone')
        if name == VLLM_HOST_IP:
            yield Fault(("secrets", i), f"{name} is not a secret; {_REMOVE_IT}")
        seen.add(name)


def _check_models(inventory: Inventory, machines: Machines) -> Iterator[Fault]:
    """Each has a name and a port of its own, and hosts that there are."""
    names: dict[str, Path] = {}
    ports: dict[int, Path] = {}
    for path, model in inventory.models():
        name = model.name or server_name(model.model)
        if name in names:
            first = dotted(names[name])
            message = f"its server would be called {quoted(name)}, as that of {first} is"
            fault = (
                f"{quoted(name)} is also the name of {first}"
                if model.name
                else f'{message}; give it a "name"'
            )
            yield Fault((*path, "name" if model.name else "model"), fault)
        if model.port in ports and model.port:
            yield Fault((*path, "port"), f"{model.port} is also the port of {dotted(ports[model.port])}")
        names.setdefault(name, path)
        ports.setdefault(model.port or 0, path)
        if model.hosts and HEAD in machines:
            found = select(_cluster_of(machines), model.hosts)
            if isinstance(found, NoMatch):
                yield Fault((*path, "hosts"), str(found))


def _cluster_of(machines: Machines) -> Cluster:
    """The names of the hosts, for whoever selects some of them."""
    nodes = {
        path: [
            Node(each.name, each.host, Role.HEAD if path == HEAD else Role.WORKER, each.ip) for each in found
        ]
        for path, found in machines.items()
    }
    workers = chain.from_iterable(each for path, each in nodes.items() if path != HEAD)
    return Cluster("", "", nodes[HEAD][0], tuple(workers))


def _check_token(inventory: Inventory, hosts: Hosts) -> Iterator[Fault]:
    """Ray takes the first token that it finds, right or wrong, and these are found before the cluster's own.

    https://docs.ray.io/en/latest/ray-security/token-auth.html
    """
    auth = inventory.ray.auth if inventory.ray else None
    if auth is Auth.DISABLED:
        return
    parts: Mapping[Path, Inventory | Host] = {(): inventory, **hosts}
    found = [(name, where) for path, part in parts.items() for name, (where, _) in _variables(path, part)]
    found += ((name, ("secrets", i)) for i, name in enumerate(inventory.secrets or ()))
    for name, where in found:
        if name in TOKENS:
            why = (
                "is not for the inventory: raycluster makes the token that all hosts have, and says so to Ray"
            )
            yield Fault(where, f"{name} {why}; {TOKENS[name]}")


def _check_temp_dir(inventory: Inventory, hosts: Hosts) -> Iterator[Fault]:
    """The head's is that of all; of several, the last counts."""
    told: list[tuple[Path, str]] = []
    parts: dict[Path, Inventory | Host | None] = {(): inventory, HEAD: hosts.get(HEAD)}
    for path, part in parts.items():
        args = (part and part.ray and part.ray.args) or ()
        if any(arguments.values(args, "--plasma-store-socket-name")):
            return
        told += (((*path, "ray", "args", i), folder) for i, folder in arguments.values(args, TEMP_DIR))
    for where, folder in told[-1:]:
        if (length := len(folder.encode(errors="replace"))) > LONGEST_TEMP_DIR:
            limit = f"{TEMP_DIR} of {length} bytes is too long for Ray's sockets, which are in it"
            yield Fault(where, f"{limit}; write one of {LONGEST_TEMP_DIR - 3} at most")


def _check_devices(inventory: Inventory, path: Path, host: Host) -> Iterator[Fault]:
    """Ray does not start where it is told of more devices than a variable leaves."""
    accelerator = host.accelerator or inventory.accelerator or Accelerator.NVIDIA
    kind, variables = KINDS[accelerator], dict(_variables((), inventory)) | dict(_variables(path, host))
    if accelerator is Accelerator.AMD and ROCR in variables and kind.visible not in variables:
        yield Fault(variables[ROCR][0], f"Ray does not start with {ROCR}; write {kind.visible} instead")
    if accelerator is Accelerator.AMD and variables.get(CUDA, ((), ""))[1]:
        why = f"Ray gives its workers {kind.visible}, and vLLM ends where {CUDA} is another"
        yield Fault(variables[CUDA][0], f"{why}; write {kind.visible} instead")
    told = [part.ray.num_gpus for part in (inventory, host) if part.ray and part.ray.num_gpus is not None]
    if told and kind.visible in variables:
        where, value = variables[kind.visible]
        if (left := listed(value)) < told[-1]:
            leaves = f"leaves {_many(left, kind.device)}, but ray.num_gpus is {told[-1]}"
            yield Fault(where, f"{kind.visible} {leaves}, so Ray would not start")


def _check_interfaces(inventory: Inventory, path: Path, host: Host) -> Iterator[Fault]:
    """Some libraries take an interface's name as it is, where others take it for a beginning."""
    kind = KINDS[host.accelerator or inventory.accelerator or Accelerator.NVIDIA]
    variables = dict(_variables((), inventory)) | dict(_variables(path, host))
    for name in kind.exact:
        where, value = variables.get(name, ((), ""))
        if value[:1] in ("=", "^"):
            write = f"; write {value[1:]}" if value[0] == "=" else "; write the one to use"
            others = f", {quoted(value[0])} is for {kind.prefix} alone" if kind.prefix else ""
            yield Fault(where, f"{name} takes an interface's name as it is{others}{write}")


def _variables(path: Path, part: Inventory | Host) -> Iterator[tuple[str, tuple[Path, str]]]:
    """Each variable of the containers, where it is written, and its value; later ones win."""
    for name, value in (part.env or {}).items():
        yield name, ((*path, "env", name), value)
    for i, variable in arguments.variables(_docker_args(part)):
        name, equals, value = variable.partition("=")
        if equals:
            yield name, ((*path, "docker", "args", i), value)


def _check_labels(parts: Mapping[Path, Inventory | Host]) -> Iterator[Fault]:
    for path, part in parts.items():
        for i, label in arguments.labels(_docker_args(part)):
            if label.startswith(_LABEL):
                message = f"labels that start with {quoted(_LABEL)} are raycluster's own"
                yield Fault((*path, "docker", "args", i), message)


def _check_lengths(inventory: Inventory, hosts: Hosts) -> Iterator[Fault]:
    """What is too long for one host is said once, where most of it is written."""
    message = f"makes a command line of more than {LONGEST:,} characters, which no host would take"
    shared = _lengths(inventory)
    if sum(shared.values()) > LONGEST:
        yield Fault(max(shared, key=shared.__getitem__), message)
        return
    for path, host in hosts.items():
        own = _lengths(host)
        if own and sum((*shared.values(), *own.values())) > LONGEST:
            yield Fault((*path, *max(own, key=own.__getitem__)), message)


def _lengths(part: Inventory | Host) -> dict[Path, int]:
    """The bytes on the line, by where they are written; nothing for what is not."""
    filled = {
        ("env",): _length(f"{name}={value}" for name, value in (part.env or {}).items()),
        ("docker", "args"): _length(_docker_args(part)),
        ("ray", "args"): _length(map(shlex.quote, (part.ray and part.ray.args) or ())),
    }
    return {path: length for path, length in filled.items() if length}


def _length(words: Iterable[str]) -> int:
    return sum(len(shlex.quote(word).encode(errors="replace")) + len(" -e ") for word in words)


def _check_host_ips(parts: Mapping[Path, Inventory | Host], machines: Machines) -> Iterator[Fault]:
    """A VLLM_HOST_IP has to be the `ip` of each machine it holds for."""
    everyone = tuple(chain.from_iterable(machines.values()))
    for path, part in parts.items():
        for where, written in _host_ips(part):
            if message := _contradiction(addresses.normal(written), machines.get(path, everyone)):
                yield Fault((*path, *where), message)


def _host_ips(part: Inventory | Host) -> Iterator[tuple[Path, str]]:
    if part.env and VLLM_HOST_IP in part.env:
        yield ("env", VLLM_HOST_IP), part.env[VLLM_HOST_IP]
    for i, variable in arguments.variables(_docker_args(part)):
        if variable.startswith(f"{VLLM_HOST_IP}="):
            yield ("docker", "args", i), variable.partition("=")[2]


def _contradiction(written: str, machines: tuple[Machine, ...]) -> str:
    if all(machine.ip == written for machine in machines):
        return ""
    if len(machines) > 1:
        return f"{VLLM_HOST_IP} would be the same on {len(machines)} hosts; {_REMOVE_IT}"
    if not machines[0].ip:
        return f'{VLLM_HOST_IP} is set from the host\'s "ip"; write ip: {written} instead'
    return f'{VLLM_HOST_IP} is {quoted(written)}, but the host\'s ip is "{machines[0].ip}"; {_REMOVE_IT}'


def _docker_args(part: Inventory | Host) -> tuple[str, ...]:
    return (part.docker and part.docker.args) or ()


def _many(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}s"
