"""What was seen of some hosts → an inventory of them, with comments, as text."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from orchestrator.frozen import dataclass
from orchestrator.model.accelerators import KINDS
from orchestrator.model.cluster import LOCAL, Accelerator
from orchestrator.model.ssh_target import Target
from orchestrator.plan.checks.finding import gib
from orchestrator.plan.facts.host import HostFacts
from orchestrator.plan.facts.inspection import OTHERS, Inspection
from orchestrator.plan.facts.networks import SharedNetwork
from orchestrator.plan.problem import Problem, plural
from orchestrator.plan.remedies import LAST_WITH_RAY

COLUMN = 38
PLAIN = re.compile(r"(?!null$|Null$|NULL$)[A-Za-z0-9/][A-Za-z0-9/._@-]*(:[A-Za-z0-9][A-Za-z0-9/._@-]*)*")
SUDO = "sudo -n docker"


@dataclass(frozen=True, slots=True)
class Seen:
    """A host that was looked at. `name`: what it is called, its `host` if that can be a name."""

    name: str
    target: Target
    facts: HostFacts
    inspection: Inspection | None

    @property
    def accelerator(self) -> Accelerator:
        return next((kind for kind, count in self._devices().items() if count), Accelerator.NONE)

    @property
    def gpus(self) -> int:
        return self._devices().get(self.accelerator, 0)

    @property
    def hardware(self) -> str:
        """Such as `8 NVIDIA GPUs`."""
        if not self.gpus:
            return "no GPU"
        of = KINDS[self.accelerator]
        return plural(self.gpus, f"{of.maker} {of.device}")

    @property
    def sudo(self) -> bool:
        """Whether Docker answers there only to `sudo -n docker`."""
        mute = isinstance(self.facts.docker, Problem)
        return mute and self.inspection is not None and self.inspection.sudo_docker

    def _devices(self) -> Mapping[Accelerator, int]:
        if self.inspection is None:
            return {Accelerator.NVIDIA: self.facts.gpus or 0}
        return {each: self.inspection.hardware.count(each) for each in (Accelerator.NVIDIA, *OTHERS[:-1])}


@dataclass(frozen=True, slots=True)
class Draft:
    """An inventory to be: the hosts, the head first, and the networks that they share, the chosen one first."""

    cluster: str
    image: str
    hosts: tuple[Seen, ...]
    networks: tuple[SharedNetwork, ...]

    def ip(self, host: Seen) -> str:
        return self.networks[0].addresses[host.name].ip

    @property
    def common(self) -> Target:
        """The login that all hosts have in common that need one."""
        targets = [host.target for host in self.hosts if host.target.host != LOCAL]
        users, ports = {target.user for target in targets}, {target.port for target in targets}
        return Target("", users.pop() if len(users) == 1 else None, ports.pop() if len(ports) == 1 else None)

    @property
    def accelerator(self) -> Accelerator:
        """What most hosts have."""
        return Counter(host.accelerator for host in self.hosts).most_common(1)[0][0]

    @property
    def sudo(self) -> bool:
        """Whether all hosts need it."""
        return all(host.sudo for host in self.hosts)


def text(draft: Draft) -> str:
    """The whole file."""
    return "\n".join((*_top(draft), "", *_hosts(draft), "", *_shared(draft), "", *POSSIBLE, ""))


def _top(draft: Draft) -> Iterator[str]:
    yield "# A raycluster inventory: one file, one cluster. `raycluster init` wrote down what it saw on the hosts;"
    yield "# change what you like. `raycluster check` says what could go wrong, `raycluster up` starts the cluster."
    yield ""
    yield _line(f"cluster: {draft.cluster}", 'in the names and labels of the containers: a-z, 0-9 and "-"')
    last = "the last stock vLLM image with Ray in it; for later ones see `ray` below"
    any_other = "with Ray in it; for one without see `ray` below"
    yield _line(f"image: {plain(draft.image)}", last if draft.image == LAST_WITH_RAY else any_other)


def _hosts(draft: Draft) -> Iterator[str]:
    chosen, *others = draft.networks
    where = (
        f"in {chosen}" if chosen.network else "which are in no network that all share: see `raycluster check`"
    )
    yield f"# `host` is where to SSH, `ip` where the hosts reach each other: their addresses {where}."
    if others:
        yield f"# They also share {' and '.join(map(str, others))}: if that is the faster one, write those."
    head, *workers = draft.hosts
    yield _line(f"head: {{{_pairs(draft, head)}}}", head.hardware)
    if workers:
        yield "workers:"
        yield from (_line(f"  - {{{_pairs(draft, worker)}}}", worker.hardware) for worker in workers)


def _pairs(draft: Draft, host: Seen) -> str:
    """What is the host's own: its name and addresses, and in what it differs from the others."""
    pairs = {"host": plain(host.target.host), "ip": plain(draft.ip(host))}
    pairs |= {"name": host.name} if host.name != host.target.host else {}
    ssh = _ssh(
        host.target.user if draft.common.user is None else None,
        host.target.port if draft.common.port is None else None,
    )
    pairs |= {"ssh": ssh} if ssh else {}
    pairs |= {"docker": f"{{command: {SUDO}}}"} if host.sudo and not draft.sudo else {}
    pairs |= {"accelerator": host.accelerator} if host.accelerator is not draft.accelerator else {}
    return ", ".join(f"{key}: {value}" for key, value in pairs.items())


def _ssh(user: str | None, port: int | None) -> str:
    pairs = ([f"user: {plain(user)}"] if user else []) + ([f"port: {port}"] if port else [])
    return f"{{{', '.join(pairs)}}}" if pairs else ""


def _shared(draft: Draft) -> Iterator[str]:
    yield _line(f"accelerator: {draft.accelerator}", "nvidia, amd, intel, ascend, gaudi, tpu, none")
    yield _line("hf_home: ~/.cache/huggingface", _room(draft))
    if ssh := _ssh(draft.common.user, draft.common.port):
        yield _line(f"ssh: {ssh}", "what is not written here is as ~/.ssh/config has it")
    if draft.sudo:
        yield _line(f"docker: {{command: {SUDO}}}", "this user may not use Docker without sudo")


def _room(draft: Draft) -> str:
    """The host with the least room for models."""
    comment = "Hugging Face downloads, on each host"
    folders = {host.name: host.facts.machine.hf_home.free for host in draft.hosts if host.facts.machine}
    known = {name: free for name, free in folders.items() if free is not None}
    if not known:
        return comment
    least = min(known, key=lambda name: known[name])
    where = f" on {least}, the least" if len(known) > 1 else ""
    return f"{comment}; {gib(known[least])} free{where}"


def item(host: Seen, ip: str | None, accelerator: Accelerator, *, sudo: bool) -> str:
    """A host that joins, as a list of workers has it; with `sudo` where Docker needs it there, unless all have it."""
    pairs = {"host": plain(host.target.host)} | ({"ip": plain(ip)} if ip else {})
    pairs |= {"name": host.name} if host.name != host.target.host else {}
    ssh = _ssh(host.target.user, host.target.port)
    pairs |= {"ssh": ssh} if ssh else {}
    pairs |= {"docker": f"{{command: {SUDO}}}"} if host.sudo and not sudo else {}
    pairs |= {"accelerator": host.accelerator} if host.accelerator is not accelerator else {}
    return f"{{{', '.join(f'{key}: {value}' for key, value in pairs.items())}}}"


def _line(written: str, comment: str) -> str:
    return f"{written:<{COLUMN}} # {comment}"


def plain(value: str) -> str:
    """A value as YAML, in quotes where it needs them."""
    return value if PLAIN.fullmatch(value) else json.dumps(value)


POSSIBLE = (
    "# What else may be written, for example; `raycluster config example` shows every key.",
    _line("# secrets: [HF_TOKEN]", "variables of your own environment; their values are shown nowhere"),
    _line("# env: {NCCL_DEBUG: WARN}", "the containers' environment"),
    _line('# ray: {install: "ray[default]==2.56.*"}', "for an image without Ray"),
)
