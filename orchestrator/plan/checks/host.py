"""What every command learns of a host: addresses, ports, memory, containers."""

from ipaddress import ip_address

from orchestrator.model.cluster import Accelerator, Cluster, Node, Pull, Rdma
from orchestrator.plan import devices, docker, engine
from orchestrator.plan.checks.finding import GIB, Findings, failure, gib, ok, quoting, warning
from orchestrator.plan.docker.run import device_files, size
from orchestrator.plan.facts.address import NodeAddress, node_address
from orchestrator.plan.facts.containers import STRAY, container_of, orphan_containers, running_container
from orchestrator.plan.facts.derived_image import from_head
from orchestrator.plan.facts.host import HostFacts, Machine, Unreachable, answered, missing_folder
from orchestrator.plan.facts.networks import beside
from orchestrator.plan.problem import Problem
from orchestrator.plan.ray import ports
from orchestrator.plan.remedies import OTHER_DRIVER, PRUNE
from orchestrator.plan.typed import change, host_command, where

LITTLE_ROOM = 20 * GIB
"""A model that is worth several hosts is larger than this."""


def check_reachable(node: Node, facts: HostFacts | Unreachable) -> Findings:
    """Whether the host can be asked, and has the address that the inventory gives it."""
    if isinstance(found := answered(facts), Problem):
        topic = contact_topic(node) if isinstance(found, Unreachable) else "docker"
        yield quoting(node.name, topic, "", found.text, found.fix, found.detail)
    elif isinstance(place := node_address(node, found), str):
        yield failure(node.name, "address", place, _own_ip(node, found))


def _own_ip(node: Node, facts: HostFacts) -> str:
    """What to write instead of an address that is not the host's."""
    usable = beside(facts, (), node.network)  # of the host's own, without those of its containers
    usable = usable or beside(facts, (), None)
    if len(usable) == 1:
        return change("ip", usable[0].ip)
    return f"choose one of the host's as {where('ip')}"


def contact_topic(node: Node) -> str:
    """The topic of a host that does not answer."""
    return "host" if node.is_local else "ssh"


def check_startable(cluster: Cluster, node: Node, facts: HostFacts) -> Findings:
    """What keeps a new container from starting there, or from serving."""
    name = cluster.container(node)
    if facts.named(name) and container_of(cluster, node, facts) is None:
        fix = host_command(*docker.rename(node, name, f"{name}-other").argv)
        text = f"a container named {name} is there that is not this cluster's"
        yield failure(node.name, "containers", text, fix)
    for _, container in orphan_containers(cluster, {node.name: facts}):
        level = (
            failure if container.running else warning
        )  # one that runs has the host's address in Ray already
        yield level(node.name, "containers", f"{container.name} {STRAY}", PRUNE)
    has_image = facts.image_id or facts.base or from_head(cluster, node)
    if node.docker.pull is Pull.NEVER and not has_image:
        text = f"image {cluster.image} is not on this host, and `docker.pull` is never"
        fix = f"bring the image there, or {change('docker.pull', 'missing')}"
        yield failure(node.name, "image", text, fix)
    for program in facts.machine.lacks if facts.machine else ():
        text = f"{program} is not there: `up`, `logs` and `status --watch` run it on the host"
        yield failure(node.name, "host", text, f"install {program} on it")
    yield from _ports(cluster, node, facts)
    yield from _rdma(node, facts)
    yield from _devices(node, facts.machine.missing if facts.machine else ())


def check_settings(node: Node, facts: HostFacts) -> Findings:
    """What does not stop `up`, but somebody will wonder about later."""
    place = node_address(node, facts)
    if isinstance(place, NodeAddress):
        yield ok(node.name, "address", f"ip on {place.interface}")
        if _is_public(place.ip):
            risk = "Ray and vLLM talk there unencrypted, and run code for whoever may"
            fix = "use an address of a private network as `ip`"
            yield warning(node.name, "address", f"{place.ip} is a public address: {risk}", fix)
    if node.accelerator is Accelerator.NVIDIA and facts.gpus and (node.num_gpus or 0) > facts.gpus:
        text = f"`num_gpus` is {node.num_gpus}, but the host has {facts.gpus} GPUs"
        yield warning(node.name, "gpus", text, change("ray.num_gpus", str(facts.gpus)))
    for text, fix in devices.hidden(node, facts) if node.num_gpus != 0 else ():
        yield warning(node.name, "gpus", text, fix)
    if facts.machine:
        wanted = size(node.docker.shm_size)
        if facts.machine.memory and wanted > facts.machine.memory:
            text = f"/dev/shm gets {gib(wanted)} of the host's {gib(facts.machine.memory)} of memory"
            yield warning(node.name, "memory", text, "set a smaller `docker: {shm_size: …}`")
        yield from _hf_home(node, facts.machine, ours=bool(missing_folder(facts)))


def _ports(cluster: Cluster, node: Node, facts: HostFacts) -> Findings:
    """A container of ours that runs holds its ports itself, and makes room for its successor."""
    runs = running_container(cluster, node, facts)
    needed = {} if runs else engine.of(cluster).required_ports(cluster, node)
    if facts.listeners is None:
        yield warning(node.name, "ports", "which ports are in use is not known", "install iproute2 there")
        return
    held = {each.port: each.by for each in facts.listeners if each.port in needed}
    for port, by in held.items():
        holder, end = _holder(facts, port, by)
        another = f", or choose another {where('ray.port')}" if cluster.engine.has_ray else ""
        yield failure(
            node.name, "ports", f"port {port}, for {needed[port]}, is held by {holder}", f"{end}{another}"
        )
    shared = {} if runs or not cluster.engine.has_ray else ports.shared_ports(cluster, node)
    for port, by in {each.port: each.by for each in facts.listeners if each.port in shared}.items():
        (what, then), (holder, end) = shared[port], _holder(facts, port, by)
        text = f"port {port}, for {what} where the image has it, is held by {holder}, {then}"
        yield warning(node.name, "ports", text, f"{end}; or {change('ray.ports', 'pinned')}")
    if needed and not held:
        free = ports.format_ports(tuple(range(n, n + 1) for n in needed), "-")
        yield ok(node.name, "ports", f"port{'s' if len(needed) > 1 else ''} {free} free")


def _holder(facts: HostFacts, port: int, by: str) -> tuple[str, str]:
    """Who holds a port, and how to end it. A program of a container's is started again by itself."""
    for other in facts.neighbours:
        if other.running and ports.held_by(other.command, port):
            whose = f"cluster {other.cluster}'s {'head' if '--head' in other.command else 'worker'}"
            end = f"take cluster {other.cluster} down, with its own inventory (`raycluster ls` lists those used here)"
            return f"{whose} (container {other.name})", end
    return by or f"another user's program (sudo ss -ltnp 'sport = :{port}' names it)", "stop it"


def _is_public(ip: str) -> bool:
    try:
        return ip_address(ip).is_global
    except ValueError:  # `--offline` does not know the address yet
        return False


def check_hostname(node: Node, machine: Machine) -> Findings:
    """Debian's habit. Programs that look themselves up then talk to nobody; Ray and NCCL are told better."""
    if machine.resolves_to.startswith("127.") or machine.resolves_to == "::1":
        text = f"its name {machine.hostname} resolves to {machine.resolves_to} there"
        fix = f"in /etc/hosts there, give {machine.hostname} its `ip`; gloo and NCCL are told their interface anyway"
        yield warning(node.name, "address", text, fix)


def _hf_home(node: Node, machine: Machine, *, ours: bool) -> Findings:
    """`ours`: it is `up` that makes it, where the engine would not."""
    folder = machine.hf_home
    if folder.exists is None:
        text = f"{folder.path} does not answer: a network share that is gone?"
        yield warning(
            node.name, "hf_home", text, f"mount it again there, or set {where('hf_home')} to another folder"
        )
    elif not folder.exists and ours:
        yield ok(node.name, "hf_home", f"{folder.path} does not exist there yet; `up` will make it")
    elif not folder.exists:
        text = f"{folder.path} does not exist there; Docker will make it, owned by root"
        yield warning(node.name, "hf_home", text, host_command("mkdir", "-p", folder.path))
    if folder.free is not None and folder.free < LITTLE_ROOM:
        text = f"only {gib(folder.free)} are free for {folder.path}"
        yield warning(
            node.name, "hf_home", text, f"free some room, or set {where('hf_home')} to a larger disk"
        )
    elif folder.exists and folder.free is not None:
        yield ok(node.name, "hf_home", f"{folder.path} has room")


def _rdma(node: Node, facts: HostFacts) -> Findings:
    if facts.infiniband and node.rdma is Rdma.OFF:
        text = "has RDMA devices that containers do not get: NCCL falls back to TCP and says nothing"
        yield warning(node.name, "rdma", text, change("rdma", "auto"))
    elif facts.infiniband:
        yield ok(node.name, "rdma", "/dev/infiniband is given to containers")
    elif node.rdma is Rdma.ON:
        yield failure(
            node.name, "rdma", "`rdma` is on, but there is no /dev/infiniband", change("rdma", "auto")
        )


def _devices(node: Node, missing: tuple[str, ...]) -> Findings:
    """Docker starts no container that is to be given what is not there."""
    ours = device_files(devices.kind(node).docker)
    if lacking := [path for path in missing if path in ours]:
        text = f"`accelerator` is {node.accelerator}, and there is no {', '.join(lacking)} on it"
        yield failure(node.name, "gpus", text, OTHER_DRIVER)
    if others := [path for path in missing if path not in ours]:
        text = f"`docker.args` gives the container {', '.join(others)}, which the host does not have"
        yield failure(
            node.name, "docker", text, f"install its driver there, or correct {where('docker.args')}"
        )
