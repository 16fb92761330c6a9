"""One machine that plays 200 hosts: one sshd on 200 addresses of a network of its own, and a desk beside it.

Their Docker and `ip` are stubs, which answer as on hosts where the cluster runs: what is measured is the way there.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import image, lifecycle, packages, processes
from tests.lab.accounts import SHADOW
from tests.lab.files import delete, empty
from tests.lab.host import BOOT, SEARCH_PATH
from tests.lab.inventory import as_yaml, inventory
from tests.lab.processes import CHECKOUT, run
from tests.plan.recordings import inspected, ray_line, ray_row

NAME, DESK = "farm", "farm-desk"
NETWORK = "198.18.0"
SILENT = "192.0.2.50"
MOST = 200
STUBS = Path(__file__).with_name("stubs")
NAMESPACES = (
    *("--mount", "--propagation", "slave", "--uts", "--net"),
    *("--pid", "--mount-proc", "--fork", "--kill-child"),
)
PLACES = ("etc/shadow", "root", "run")  # an empty home: a slow ~/.bashrc would hide everything
SSHD_CONFIG = """\
HostKey /run/farm/hostkey
PidFile /run/sshd.pid
AuthorizedKeysFile /run/farm/key.pub
PasswordAuthentication no
StrictModes no
UsePAM no
MaxStartups 1000
SetEnv PATH=/run/farm/stubs:/usr/bin:/bin
"""
ONE_SESSION = 23
"""The port at which all hosts allow one session on a connection."""

GREETING = """\
printf '\\033]0;farm\\007'
echo Welcome to the farm
echo The disk is nearly full. >&2
"""
# Whatever is sent to the silent address leaves by a cable at whose end nobody listens.
WIRE = f"""\
ip route add local {NETWORK}.0/24 dev lo
ip link add silent type veth peer name nobody
ip address add 192.0.2.1/24 dev silent
ip link set silent up
ip link set nobody up
ip neighbour add {SILENT} lladdr 02:00:00:00:00:50 dev silent nud permanent
"""


@dataclass(frozen=True)
class Farm:
    """Everything it writes is in its folder."""

    folder: Path

    @property
    def told(self) -> Path:
        return self.folder / "hosts/run/farm/told"

    @property
    def home(self) -> Path:
        return self.folder / "desk/root"

    def addresses(self, count: int) -> list[str]:
        return [address(number) for number in range(1, count + 1)]

    def cluster(self, count: int, *, silent: bool = False, port: int | None = None) -> Path:
        """The inventory of a cluster that runs on the first `count` hosts; `silent`: the last one never answers."""
        name = f"bench{count}{'-silent' if silent else ''}{f'-{port}' if port else ''}"
        ours = [*self.addresses(count - 1), SILENT if silent else address(count)]
        hosts = [{"name": f"h{number}", "host": ip, "ip": ip} for number, ip in enumerate(ours, 1)]
        for host in hosts:
            (self.told / f"raycluster-{name}-{host['name']}").write_text(_inspected(name, host["name"]))
        (self.told / f"raycluster-{name}-h1.table").write_text(_node_table(hosts))
        ssh = {"connect_timeout": 3} if silent else {"port": port} if port else None
        changes = {"cluster": name, "docker": None, "ssh": ssh}
        path = self.home / f"{name}.yaml"
        path.write_text(as_yaml(inventory(hosts, changes)))
        return path

    def slow(self, seconds: int) -> contextlib.AbstractContextManager[None]:
        """Meanwhile `docker ps` takes as long on every host."""
        return _written(self.folder / "hosts/run/farm/slow", f"{seconds}\n")

    def greeting(self) -> contextlib.AbstractContextManager[None]:
        """Meanwhile every host greets who logs in, on both streams."""
        return _written(self.folder / "hosts/root/.bashrc", GREETING)

    def command(self, argv: Iterable[str | Path]) -> list[str]:
        """The command line that runs `argv` at the desk. It becomes `argv`'s own process."""
        enter = ["nsenter", "--target", str(processes.pid_of(DESK)), "--mount", "--uts", "--net"]
        settings = {
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "USER": "root",
            "PATH": f"{Path(sys.executable).parent}:{SEARCH_PATH}",
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONPYCACHEPREFIX": str(self.folder / "pycache"),  # compiled once, as what is installed is
        }
        named = [f"{name}={value}" for name, value in settings.items()]
        return [*enter, "env", "-i", f"--chdir={self.home}", *named, *map(str, argv)]


@contextlib.contextmanager
def _written(file: Path, text: str) -> Iterator[None]:
    file.write_text(text)
    try:
        yield
    finally:
        file.unlink()


def address(number: int) -> str:
    return f"{NETWORK}.{number}"


@contextlib.contextmanager
def farm() -> Iterator[Farm]:
    """The farm, for as long as the block lasts. Needs root; raises LabError where it cannot be."""
    packages.require_root()
    made = Farm(image.cache() / f"farm-{processes.lab()}")
    _end()
    empty(made.folder)
    try:
        lifecycle.make_mount_points()
        _furnish(made)
        _boot(made)
        yield made
    finally:
        _end()
        delete(made.folder)


def _furnish(made: Farm) -> None:
    hosts, ssh = made.folder / "hosts", made.home / ".ssh"
    for folder in (hosts / "root", hosts / "etc", hosts / "run/sshd", made.told, ssh):
        folder.mkdir(parents=True)
    (hosts / "etc/shadow").write_text(SHADOW)
    ours = hosts / "run/farm"
    shutil.copytree(STUBS, ours / "stubs")
    (ours / "sshd_config").write_text(SSHD_CONFIG)
    for key in (ours / "hostkey", ssh / "id_ed25519"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "farm", "-f", key)
    (ours / "key.pub").write_text((ssh / "id_ed25519.pub").read_text())
    public = (ours / "hostkey.pub").read_text()
    known = [*made.addresses(MOST), SILENT]
    (ssh / "known_hosts").write_text("".join(f"{each} {public}" for each in known))
    ssh.chmod(0o700)


def _boot(made: Farm) -> None:
    hosts, desk = made.folder / "hosts", made.folder / "desk"
    processes.start(
        *(NAME, made.folder / "hosts.log", "unshare", *NAMESPACES),
        *("bash", BOOT, processes.title(NAME), hosts, *PLACES),
    )
    enter = ["nsenter", "--target", str(processes.pid_of(NAME))]
    run(*enter, "--net", "ip", "link", "set", "lo", "up")
    run(*enter, "--net", "bash", "-euc", WIRE)
    for options in ((), ("-p", str(ONE_SESSION), "-o", "MaxSessions=1", "-o", "PidFile=none")):
        run(*enter, "--all", "/usr/sbin/sshd", "-E", "/run/sshd.log", "-f", "/run/farm/sshd_config", *options)
    same = [*enter, "--net", "unshare", "--mount", "--propagation", "slave", "--uts"]
    # ssh takes root's home from passwd, whatever HOME says: the desk's ~/.ssh is mounted there.
    desk_boots = ("bash", BOOT, processes.title(DESK), desk, "root/.ssh")
    processes.start(DESK, made.folder / "desk.log", *same, *desk_boots)


def _end() -> None:
    if processes.find(NAME) is not None:
        for pid in processes.inside(NAME):  # a client that is still at work, when the bench was interrupted
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    processes.end(DESK)
    processes.end(NAME)


def _node_table(hosts: Iterable[Mapping[str, str]]) -> str:
    """What Ray lists: all but the host that is silent."""
    there = [host for host in hosts if host["ip"] != SILENT]
    rows = [ray_row(host["ip"], hostname=host["name"], head=host["name"] == "h1") for host in there]
    return f"{ray_line(*rows)}\n"


def _inspected(cluster: str, host: str) -> str:
    number = host.removeprefix("h")
    labels = {
        "raycluster.cluster": cluster,
        "raycluster.role": "head" if host == "h1" else "worker",
        "raycluster.spec": "0",
    }
    found: dict[str, Any] = inspected(f"raycluster-{cluster}-{host}", labels=labels, Id=f"id-of-h{number}")
    return f"{json.dumps([found])}\n"
