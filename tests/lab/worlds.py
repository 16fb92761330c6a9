"""Hosts of other kinds: a lab test enters such a world, and `Lab.restore` leaves it."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from . import accounts, debian, faults, laptop, network, stores, variants
from .accounts import BASH, USER
from .engines import Engine
from .host import Host
from .inventory import merged
from .lab import Lab
from .processes import run, wait_until
from .seeing import two_hosts
from .variants import Variant

ASH = "/run/shells/ash"
WELCOME = "echo Welcome to GPU box\n"
TITLE = 'printf "\\033]0;gpu2\\007"\n'
"""Sets a terminal's title, and ends no line."""

# As cloud-init writes it for root.
PLEASE = 'Please login as the user \\"ubuntu\\" rather than the user \\"root\\".'
FORCED = f"""no-port-forwarding,command="echo '{PLEASE}';echo;sleep 1;exit 142" """

ORDINARY = {"ssh": {"user": USER}, "docker": {"command": "sudo -n docker"}}
OTHER_HOME = {"env": {"HF_HOME": "/home/vllm/huggingface"}}
RAY = {"engine": "ray"}
KEEP = {"docker": {"entrypoint": "keep"}}
MAY_USE_DOCKER = f"{USER} ALL=(root) NOPASSWD: /usr/bin/docker, /usr/local/bin/docker"
IPV6 = {"gpu1": "fd00:2::11", "gpu2": "fd00:2::12"}
NEEDS_TTY = f"{MAY_USE_DOCKER}\nDefaults requiretty"


def _nothing(_: Lab) -> None: ...


@dataclass(frozen=True)
class Installed:
    """What a host runs on: a Debian release, the machine's if empty, and an engine of it."""

    system: str = ""
    engine: Engine = Engine.DOCKER


@dataclass(frozen=True)
class World:
    """What is other on all hosts, or on the laptop, and what the inventory says because of it."""

    name: str
    shell: str = BASH
    files: Mapping[str, str] = field(default_factory=dict)
    """What stands in the homes, by name."""
    sudoers: str = ""
    sshd: tuple[str, ...] = ()
    """Settings of sshd, besides the lab's."""
    key_options: str = ""
    """What stands before the laptop's key in authorized_keys."""
    system: str = ""
    """The Debian release that the hosts run; empty: the machine's."""
    image: Variant | None = None
    """What the containers are made from; None: the lab's own."""
    engine: Engine = Engine.DOCKER
    """The engine of that release that runs their containers."""
    others: Mapping[str, Installed] = field(default_factory=dict)
    """By name, the hosts that run on something else."""
    arrange: Callable[[Lab], None] = _nothing
    """Done last: what needs more than a value."""
    inventory: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def installed(self, host: str) -> Installed:
        return self.others.get(host) or Installed(self.system, self.engine)

    @property
    def installations(self) -> set[Installed]:
        return {Installed(self.system, self.engine), *self.others.values()}


def prepare(lab: Lab, world: World, say: Callable[[str], None]) -> None:
    """Make what its hosts run on, where that is not there yet."""
    host = lab.hosts["gpu1"]
    for each in sorted(world.installations, key=str):
        if each.system:
            debian.make(each.system, say)
            stores.make(each.system, each.engine, host.folder.with_name("store"), host.template, say)


def enter(lab: Lab, world: World) -> None:
    """Makes the lab's hosts such ones, until `Lab.restore`."""
    lab.on_each(partial(_change, world=world, key=lab.desk.public_key))
    if world.image:
        variants.make(lab, world.image)
    world.arrange(lab)


def _change(host: Host, world: World, key: str) -> None:
    installed = world.installed(host.name)
    if installed.system:
        store = stores.store(installed.system, installed.engine)
        host.install(debian.root(installed.system), installed.engine, store)
    accounts.furnish(host.folder, world.shell, world.sudoers)
    if world.shell == ASH:
        ash = host.folder / ASH.lstrip("/")
        ash.parent.mkdir()
        ash.symlink_to("/bin/busybox")
    for home in ("root", f"home/{USER}"):
        for name, text in world.files.items():
            (host.folder / home / name).write_text(text)
    host.authorize(world.key_options + key)
    host.set_sshd(*world.sshd)


def inventory(lab: Lab, world: World, **changes: Any) -> Path:
    """An inventory of gpu1 and gpu2 that says what this world needs; without Ray, which is not the subject."""
    image = {"image": world.image.tag} if world.image else {}
    needed = merged(world.engine.inventory, world.inventory)
    return two_hosts(lab, **merged(merged({"engine": "mp"} | image, needed), changes))


def inventory_of_all(lab: Lab, world: World, **changes: Any) -> Path:
    """The same of all three hosts, each entry with what its engine needs."""
    head, *workers = (
        {**host.entry, **world.installed(name).engine.inventory} for name, host in lab.hosts.items()
    )
    return lab.inventory(**merged({"engine": "mp", "head": head, "workers": workers}, changes))


def give_ipv6(_: Lab) -> None:
    """The laptop too has an address there, so that it may ask what is served; it keeps it."""
    network.add_ipv6(laptop.NAME, "fd00:2::1")
    for name, ip in IPV6.items():
        network.add_ipv6(name, ip)


def give_models(lab: Lab) -> None:
    """The image's user may write where models are kept."""
    folder = "/root/.cache/huggingface"
    lab.on_each(lambda host: host.run("sh", "-c", f"mkdir -p {folder} && chown {variants.UID} {folder}"))


def protect_homes(lab: Lab) -> None:
    lab.on_each(faults.protect_home)


def share_home(lab: Lab) -> None:
    """One home for all, as by NFS."""
    owner, *others = lab.hosts.values()
    for host in others:
        host.share_home(owner)


def agent(lab: Lab, *keys: Path) -> None:
    """The laptop's ~/.ssh/config names an agent that holds these keys."""
    socket = lab.home / "agent"
    lab.laptop_popen(["ssh-agent", "-D", "-a", socket])
    wait_until("the agent listens", socket.exists)
    added = lab.laptop(["ssh-add", "-q", *keys], env={"SSH_AUTH_SOCK": str(socket)})
    assert added.returncode == 0, added.stderr
    config = lab.home / ".ssh/config"
    config.write_text(f"IdentityAgent {socket}\n{config.read_text()}")


def key_in_the_agent_alone(lab: Lab) -> None:
    """The files of ~/.ssh are others' keys."""
    right = lab.home / "right"
    (lab.home / ".ssh/id_ed25519").rename(right)
    agent(lab, right)
    for kind in ("rsa", "ed25519"):
        keygen(lab.home / f".ssh/id_{kind}", kind)


def keygen(file: Path, kind: str = "ed25519") -> Path:
    run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", file.name, "-f", file)
    return file


def certified(lab: Lab) -> Path:
    """A certificate for the laptop's key, whose authority is all that the hosts let in."""
    authority = keygen(lab.home / "authority")
    public = lab.home / "work.pub"
    shutil.copy(lab.desk.folder / "id_ed25519.pub", public)
    run("ssh-keygen", "-q", "-s", authority, "-I", "laptop", "-n", f"root,{USER}", public)
    trusted = authority.with_suffix(".pub").read_text()
    for host in lab.hosts.values():
        (host.folder / "etc/ssh/user_ca.pub").write_text(trusted)
        host.authorize("")
    return public.with_name("work-cert.pub")


def certificate_beside_the_key(lab: Lab) -> None:
    certified(lab).rename(lab.home / ".ssh/id_ed25519-cert.pub")


def certificate_elsewhere(lab: Lab) -> None:
    config = lab.home / ".ssh/config"
    config.write_text(f"CertificateFile {certified(lab)}\n{config.read_text()}")


def certificate_and_an_agent_without_it(lab: Lab) -> None:
    agent(lab, lab.home / ".ssh/id_ed25519")
    certificate_beside_the_key(lab)


def vouched(lab: Lab) -> None:
    """The laptop knows the hosts by an authority that has signed their keys, and by nothing else."""
    authority = trusted_authority(lab)
    for host in lab.hosts.values():
        key = host.folder / "etc/ssh/ssh_host_ed25519_key.pub"
        run("ssh-keygen", "-q", "-s", authority, "-I", host.name, "-h", "-n", host.address, key)
        host.set_sshd("HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub")


def trusted_authority(lab: Lab) -> Path:
    authority = keygen(lab.home / "authority")
    kind, key, _ = authority.with_suffix(".pub").read_text().split()
    (lab.home / ".ssh/known_hosts").write_text(f"@cert-authority 192.0.2.* {kind} {key}\n")
    return authority


def impostors(lab: Lab) -> None:
    """An authority is trusted that has signed no host's key."""
    trusted_authority(lab)


def _on_stderr(line: str) -> str:
    return line.replace("\n", " >&2\n")


TCSH = World("tcsh", shell="/usr/bin/tcsh")
FISH = World("fish", shell="/usr/bin/fish")
TITLED = World("title", files={".bashrc": TITLE})
SUDO = World("sudo", sudoers=MAY_USE_DOCKER, inventory=ORDINARY)
TRIXIE = World("trixie", system="trixie")
SID = World("sid", system="sid")
CONTAINERD = World("containerd-trixie", system="trixie", engine=Engine.CONTAINERD)
PODMAN = World("podman-trixie", system="trixie", engine=Engine.PODMAN)
PODMAN_SID = World("podman-sid", system="sid", engine=Engine.PODMAN)
SUDO_TRIXIE = World("sudo-trixie", system="trixie", sudoers=MAY_USE_DOCKER, inventory=ORDINARY)
ENGINES = (
    SID,
    CONTAINERD,
    World("containerd-sid", system="sid", engine=Engine.CONTAINERD),
    World("podman-bookworm", system="bookworm", engine=Engine.PODMAN),
    PODMAN,
    PODMAN_SID,
    World("podman-rootless", system="trixie", engine=Engine.ROOTLESS),
    SUDO_TRIXIE,
)
ALL_ENGINES = World(
    "all-engines",
    system="bookworm",
    others={"gpu2": Installed("trixie", Engine.CONTAINERD), "gpu3": Installed("trixie", Engine.PODMAN)},
)
"""Docker 20.10, a newer one with the containerd image store, and Podman."""
SHARED_HOME = World("shared-home", arrange=share_home)
BY_IPV6 = World(
    "ipv6",
    arrange=give_ipv6,
    inventory=RAY | {"head": {"ip": IPV6["gpu1"]}, "worker": {"ip": IPV6["gpu2"]}},
)
"""The hosts reach each other so; SSH goes another way."""
CERTIFIED = ("TrustedUserCAKeys /etc/ssh/user_ca.pub",)

OTHER_RAYS = tuple(
    World(f"ray-{version}", image=variants.of_ray(version), inventory={"engine": "ray"})
    for version in ("2.31.0", "2.44.1", "2.52.1", "2.54.1")
)

REACHED = (
    World("bash"),
    World("dash", shell="/usr/bin/dash"),
    World("zsh", shell="/usr/bin/zsh"),
    FISH,
    TCSH,
    World("ash", shell=ASH),
    World("tcsh-welcome", shell="/usr/bin/tcsh", files={".cshrc": WELCOME}),
    World("zsh-title", shell="/usr/bin/zsh", files={".zshenv": TITLE}),
    World("welcome", files={".bashrc": WELCOME}),
    TITLED,
    World("welcome-on-stderr", files={".bashrc": _on_stderr(WELCOME)}),
    World("title-on-stderr", files={".bashrc": _on_stderr(TITLE)}),
    SUDO,
    World("one-session", sshd=("MaxSessions 1",)),
    World("two-tries", sshd=("MaxAuthTries 2",), arrange=key_in_the_agent_alone),
    World("certificate", sshd=CERTIFIED, arrange=certificate_beside_the_key),
    World("certificate-elsewhere", sshd=CERTIFIED, arrange=certificate_elsewhere),
    World("certificate-and-agent", sshd=CERTIFIED, arrange=certificate_and_an_agent_without_it),
    World("host-certificates", arrange=vouched),
    SHARED_HOME,
    TRIXIE,
    BY_IPV6,
    *OTHER_RAYS,
    *ENGINES,
    World("other-user", image=variants.OTHER_USER, arrange=give_models, inventory=OTHER_HOME),
    World("other-user-ray", image=variants.OTHER_USER, arrange=give_models, inventory=OTHER_HOME | RAY),
    World("linked-venv-ray", image=variants.VENV_BY_LINK, inventory=RAY),
    World("entrypoint", image=variants.ENTRYPOINT, inventory=KEEP),
    World("entrypoint-ray", image=variants.ENTRYPOINT, inventory=KEEP | RAY),
    World("few-tools", image=variants.FEW_TOOLS),
    World("few-tools-ray", image=variants.FEW_TOOLS, inventory=RAY),
)
"""In these all works."""

FAREWELL = World("farewell", files={".bashrc": "trap 'echo bye; echo bye >&2' EXIT\n"})
"""All works but `exec --on-host`, where those words are heard, as with `ssh`."""
FORCED_COMMAND = World("forced-command", key_options=FORCED)
NO_LOGIN = World("no-login", shell="/usr/sbin/nologin")
NO_TTY = World("no-tty", sudoers=NEEDS_TTY, inventory=ORDINARY)
HOME_READ_ONLY = World("read-only-home", arrange=protect_homes, inventory={"hf_home": "/tmp/huggingface"})
IMPOSTORS = World("impostors", arrange=impostors)
