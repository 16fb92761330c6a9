"""A host: what a rented GPU machine would be, with the switches that a test wants within reach."""

import os
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import accounts, engines, image, network, processes
from .engines import Engine
from .files import delete, empty
from .processes import CHECKOUT, LabError, run, wait_until

BOOT = Path(__file__).with_name("boot.sh")
NAMESPACES = (
    "--mount",
    "--propagation",
    "slave",
    "--uts",
    "--net",
    "--pid",
    "--mount-proc",
    "--fork",
    "--kill-child",
)
FILES = ("etc/passwd", "etc/shadow")
PLACES = (*engines.DATA, *engines.SETTINGS, "etc/ssh", *FILES, "etc/sudoers.d", "home", "root", "tmp", "run")
PYTHON = Path(sys.base_prefix)
LIBRARIES = Path(sysconfig.get_path("purelib"))
PROGRAM = {"run/lent/checkout": CHECKOUT, "run/lent/libraries": LIBRARIES, "run/lent/python": PYTHON}
VLLM = "run/lent/vllm"
VLLM_RELEASE = os.environ.get("RAYCLUSTER_VLLM") or "0.32.0"
RAYCLUSTER = (
    "LD_LIBRARY_PATH=/run/lent/python/lib",
    "PYTHONPATH=/run/lent/checkout:/run/lent/libraries",
    f"/run/lent/python/bin/python{sys.version_info.major}.{sys.version_info.minor}",
    *("-m", "orchestrator"),
)
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
GPU_HOOK = "run/gpu-hook"

SSHD_CONFIG = """\
ListenAddress {address}
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile /run/sshd.pid
AuthorizedKeysFile /etc/ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UsePAM no
MaxStartups 200:30:400
Subsystem sftp internal-sftp
"""
# Layers are mounted at each start, because a dockerd that stops unmounts all that is in its folder.
START_DOCKER = """\
for layer in /run/layers/*/diff; do
  place=/var/lib/docker/overlay2/${{layer#/run/layers/}}
  if [ -d "$place" ] && ! mountpoint -q "$place"; then mount --bind "$layer" "$place"; fi
done
PATH=/{hook}:$PATH exec dockerd >>/run/dockerd.log 2>&1
"""
REMOVE_CONTAINERS = """\
found=$("$0" "$@" ps --all --quiet)
[ -z "$found" ] || "$0" "$@" rm --force --volumes $found
"""


@dataclass(frozen=True)
class Host:
    name: str
    address: str
    folder: Path
    template: Path | None = None  # whose images it is born with

    @property
    def entry(self) -> dict[str, str]:
        """The host as an inventory names it."""
        return {"name": self.name, "host": self.address, "ip": self.address}

    @property
    def public_key(self) -> str:
        return " ".join((self.folder / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2])

    def furnish(self, authorized_key: str) -> None:
        """Fill the folder: keys, settings, images. Everything a host will ever write stays in it."""
        for place in PLACES:
            (self.folder / place).parent.mkdir(parents=True, exist_ok=True)
        accounts.furnish(self.folder)
        self._furnish_ssh(authorized_key)
        engines.furnish(self.folder, Engine.DOCKER, self.template)
        self.empty_home()

    def _furnish_ssh(self, authorized_key: str) -> None:
        ssh = self.folder / "etc/ssh"
        ssh.mkdir()
        key = ssh / "ssh_host_ed25519_key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", key)
        self._sshd_config.write_text(SSHD_CONFIG.format(address=self.address))
        self.authorize(authorized_key)

    @property
    def _sshd_config(self) -> Path:
        return self.folder / "etc/ssh/sshd_config"

    def set_sshd(self, *settings: str) -> None:
        """Have sshd run with these settings besides its usual ones, of which they are the stronger."""
        text = "".join(f"{each}\n" for each in settings) + SSHD_CONFIG.format(address=self.address)
        if self._sshd_config.read_text() != text:
            self._sshd_config.write_text(text)
            self.stop_ssh()
            self.start_ssh()

    def authorize(self, key: str) -> None:
        """Let in whoever has this key, and nobody else."""
        (self.folder / "etc/ssh/authorized_keys").write_text(key)

    def empty_home(self) -> None:
        accounts.empty_homes(self.folder)

    @property
    def _system(self) -> Path:
        return self.folder / "system"

    @property
    def engine(self) -> Engine:
        return engines.of(self.folder)

    def install(self, root: Path | None, engine: Engine = Engine.DOCKER, store: Path | None = None) -> None:
        """Boot another system than the machine's own, by its root, or with another engine; None: the machine's again.

        `store`: the data folder that the engine begins with.
        """
        now = self._system.resolve() if self._system.is_symlink() else None
        if (now, self.engine) == (root, engine):
            return
        self.power_off()
        self._system.unlink(missing_ok=True)
        if root:
            self._system.symlink_to(root)
        accounts.furnish(self.folder)
        # An older Docker need not understand what a newer one has written.
        engines.furnish(self.folder, engine, self.template, store)
        self.power_on()
        self.start_services()

    def share_home(self, owner: "Host | None") -> None:
        """Have the home of another host, as by NFS; None: its own again."""
        home = self.folder / "root"
        if home.is_symlink() == bool(owner):
            return
        self.power_off()
        delete(home)
        home.symlink_to(Path("..") / owner.name / "root") if owner else home.mkdir()
        self.power_on()
        self.start_services()

    def power_on(self) -> None:
        """Boot without services: an address, a hostname, and files of its own."""
        for place in ("run", "tmp"):
            empty(self.folder / place)
        (self.folder / "tmp").chmod(0o1777)
        (self.folder / "run/sshd").mkdir()
        lent = [f"{place}={folder}" for place, folder in self._lent().items()]
        boot: list[str | Path] = ["bash", BOOT, processes.title(self.name), self.folder, *lent, *PLACES]
        processes.start(self.name, self.folder / "boot.log", "unshare", *NAMESPACES, *boot)
        network.plug(self.name, self.address)

    def _lent(self) -> dict[str, Path]:
        """The image's layers, what it takes to run this checkout, vLLM where it was made (tests/vllm).

        All of it may lie where the host sees its own.
        """
        layers = (self.template or Path("/none")) / "overlay2"
        vllm = next(image.cache().glob(f"vllm-{VLLM_RELEASE}-*"), Path("/none"))  # others may lie beside it
        lent = PROGRAM | {"run/layers": layers, VLLM: vllm}
        return {place: folder for place, folder in lent.items() if folder.is_dir()}

    def power_off(self) -> None:
        """As a power cut: nothing gets to say goodbye."""
        processes.end(self.name)

    def reboot(self) -> None:
        self.power_off()
        self.power_on()
        self.start_services()

    def start_services(self) -> None:
        self.start_ssh()
        self.start_docker()

    def run(
        self, *argv: str, check: bool = True, stdin: str = "", timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the host itself, without SSH: it works whatever is cut or stopped."""
        return run(*self.command(argv), check=check, stdin=stdin, timeout=timeout)

    def command(self, argv: Iterable[str]) -> list[str]:
        """The command line that runs `argv` here, as a service of the host would run."""
        enter = ["nsenter", "--target", str(processes.pid_of(self.name)), "--all"]
        return [*enter, "env", "-i", f"PATH={SEARCH_PATH}", "HOME=/root", "LANG=C.UTF-8", *argv]

    def raycluster(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run this checkout's `raycluster` here, in root's home."""
        return self.run("env", "--chdir=/root", *RAYCLUSTER, *words, check=False)

    @property
    def has_program(self) -> bool:
        """Whether it was lent this checkout, with these libraries and this Python, when it was powered on."""
        return self.was_lent(PROGRAM)

    def was_lent(self, places: Mapping[str, Path]) -> bool:
        lent = self.run("stat", "-c", "%d %i", *(f"/{place}" for place in places), check=False)
        ours = (folder.stat() for folder in places.values())
        return lent.stdout.splitlines() == [f"{each.st_dev} {each.st_ino}" for each in ours]

    def docker(self, *words: str, check: bool = True, timeout: float = 120) -> str:
        """Run the host's engine, whichever it is."""
        return self.run(*self.engine.command, *words, check=check, timeout=timeout).stdout.strip()

    def variant(self, tag: str, script: str, *args: str, changes: tuple[str, ...] = ()) -> None:
        """Make another image by running `script` in ours: `variant("lab:bare", "rm /usr/local/bin/ray")`.

        `changes`: of its settings, as `docker commit` takes them.
        """
        builder = "variant-" + tag.translate(str.maketrans(":/", "--"))
        self.docker("rm", "--force", builder, check=False)
        self.docker("run", "--name", builder, "--network", "host", *args, image.TAG, "sh", "-ec", script)
        settings = [word for each in ('CMD ["bash"]', *changes) for word in ("--change", each)]
        self.docker("commit", *settings, builder, tag)
        self.docker("rm", builder)

    def remove_containers(self) -> None:
        """All of them, also those that go by themselves meanwhile (`--rm`), which Docker refuses to remove."""

        def removed() -> bool:
            return not self.run("sh", "-ec", REMOVE_CONTAINERS, *self.engine.command, check=False).returncode

        wait_until(f"{self.name} to have no containers", removed)

    def cut(self) -> None:
        """Pull the network cable."""
        network.cut(self.name)

    def mend(self) -> None:
        network.mend(self.name)

    @property
    def is_plugged(self) -> bool:
        return network.is_plugged(self.name)

    @property
    def is_on(self) -> bool:
        return processes.find(self.name) is not None

    def runs(self, command: str) -> bool:
        """Whether a process runs whose command line matches the pattern."""
        return self.run("pgrep", "--full", command, check=False).returncode == 0

    def catch(self, command: str, gone: bool = False) -> None:
        """Wait for a process, by the pattern of its command line; `gone`: and until it has ended.

        Looked for on the host itself, because one that lasts for a tenth of a second is easily missed.
        """
        seen = f"pgrep --full {shlex.quote(command)}"
        rest = f"while {seen}; do sleep 0.02; done" if gone else ""
        self.run("timeout", "30", "sh", "-c", f"until {seen}; do sleep 0.02; done; {rest}")

    @property
    def ssh_runs(self) -> bool:
        return self._answers(f"</dev/tcp/{self.address}/22")

    @property
    def docker_runs(self) -> bool:
        return self._answers(f"timeout 5 {shlex.join(self.engine.command)} version")

    def _answers(self, script: str) -> bool:
        return self.is_on and self.run("bash", "-c", script, check=False).returncode == 0

    def start_ssh(self) -> None:
        if not self.ssh_runs:
            self.run("/usr/sbin/sshd", "-E", "/run/sshd.log")
            self._wait("sshd answers", lambda: self.ssh_runs, "sshd.log")

    def stop_ssh(self) -> None:
        """Stop listening; connections that stand live on, as after `systemctl stop ssh`."""
        self._stop("sshd")

    def start_docker(self, gpu_hook: bool = False) -> None:
        """Start Docker, if the host has it; with `gpu_hook` it takes it for one with NVIDIA's toolkit installed."""
        if self.engine.is_podman:
            return
        if gpu_hook != self.has_gpu_hook:
            self.stop_docker()
        if not self.docker_runs:
            self._set_gpu_hook(gpu_hook)
            self.run("setsid", "--fork", "bash", "-c", START_DOCKER.format(hook=GPU_HOOK))
            self._wait("dockerd answers", lambda: self.docker_runs, "dockerd.log")

    @property
    def has_gpu_hook(self) -> bool:
        return (self.folder / GPU_HOOK / "nvidia-container-runtime-hook").exists()

    def _set_gpu_hook(self, wanted: bool) -> None:
        empty(self.folder / GPU_HOOK)
        if wanted:
            script = self.folder / GPU_HOOK / "nvidia-container-runtime-hook"
            script.write_text("#!/bin/sh\nexit 0\n")
            script.chmod(0o755)

    def stop_docker(self) -> None:
        """Stop the Engine and with it the containers, as `systemctl stop docker` does."""
        self._stop("docker")

    def _stop(self, daemon: str) -> None:
        record = self.folder / f"run/{daemon}.pid"
        pid = record.read_text().strip() if record.exists() else ""
        if pid and self._answers(f"kill {pid}"):
            wait_until(f"{daemon} on {self.name} has ended", lambda: not self._answers(f"kill -0 {pid}"), 90)

    def _wait(self, what: str, holds: Callable[[], bool], log: str) -> None:
        try:
            wait_until(f"{what} on {self.name}", holds)
        except LabError as problem:
            last = (self.folder / "run" / log).read_text().splitlines()[-15:]
            raise LabError("\n".join([str(problem), *last])) from None
