"""Ray's own cluster launcher, `ray up`, on the lab's hosts: when all of them are in Ray, whatever it says itself.

It runs on the laptop, with its provider for machines that are there already. What it wants beyond that: rsync on
the laptop and on each host, and in the head's container ssh and rsync, from where it reaches the workers.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, Popen
from time import sleep, time

from tests.lab import image
from tests.lab.files import delete
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.processes import run

from .measure import WORDS, BenchError

BOUND = 300
"""Seconds after which nobody waits for it any more."""
PORT = 6379
CONTAINER = "launched"
TOOLS = "tools"
TIMED_OUT = 124  # the exit code of coreutils' timeout
# Prints how many nodes are alive, each time it changes, and ends once all are.
WATCH = """\
import sys, time
from ray._raylet import GcsClient
gcs, wanted, told = GcsClient(address=sys.argv[1]), int(sys.argv[2]), 0
while told < wanted:
    alive = sum(node.state == 0 for node in gcs.get_all_node_info().values())
    if alive != told:
        print(time.time(), alive, flush=True)
        told = alive
    time.sleep(0.1)
"""
WRAPPER = """\
#!/bin/sh
exec /{tools}/lib/{loader} --library-path /{tools}/lib /{tools}/bin/{program} "$@"
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """`alive`: how many nodes were, and from when on; `returned`: when `ray up` itself ended. In seconds."""

    wanted: int
    alive: Mapping[int, float]
    returned: float | None

    @property
    def is_complete(self) -> bool:
        return self.wanted in self.alive

    @property
    def seconds(self) -> float:
        """Until all `wanted` were alive; BOUND, and so too few, where they never were."""
        return self.alive.get(self.wanted, BOUND)

    def __str__(self) -> str:
        nodes = "".join(f", node {count} alive at {at:.0f} s" for count, at in self.alive.items())
        return f"ray up {f'returned at {self.returned:.0f} s' if self.returned else 'did not return'}{nodes}"


def up(lab: Lab, gpus: int) -> Seen:
    """Bring the cluster up with it, once, and watch. BenchError where not even the head comes up."""
    head, *_ = lab.hosts.values()
    _equip(head)
    for host in lab.hosts.values():
        (
            host.folder / "root/.bashrc"
        ).touch()  # it takes the complaint that there is none for Docker's answer
    with _nothing_left():
        seen = _run(lab, [_installed() / "bin/ray", "up", "--yes", "--no-config-cache", _settings(lab, gpus)])
    if not seen.alive:
        raise BenchError(f"ray up brought nothing up:\n{_log(lab).read_text()[-WORDS:]}")
    return seen


def _run(lab: Lab, argv: Iterable[str | Path]) -> Seen:
    head, *_ = lab.hosts.values()
    remembers = {
        "RAY_TMPDIR": str(lab.folder)
    }  # which hosts it has begun with, and would not begin with again
    with _log(lab).open("w") as said, ThreadPoolExecutor(1) as aside:
        begun = time()
        process = lab.laptop_popen(
            argv, remembers, stdin=DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        ended = aside.submit(_ended, process, begun)
        try:
            alive = _alive(head, len(lab.hosts), process, begun)
            return Seen(len(lab.hosts), alive, ended.result() if ended.done() else None)
        finally:
            if not ended.done():
                os.killpg(process.pid, signal.SIGKILL)


def _log(lab: Lab) -> Path:
    return lab.folder / "launcher.log"


@contextlib.contextmanager
def _nothing_left() -> Iterator[None]:
    """Removes the folder for its connections, which it leaves behind in /tmp."""
    before = set(Path("/tmp").glob("ray_ssh_*"))
    try:
        yield
    finally:
        for folder in set(Path("/tmp").glob("ray_ssh_*")) - before:
            delete(folder)


def _ended(process: Popen[str], begun: float) -> float:
    process.wait()
    return time() - begun


def _alive(head: Host, wanted: int, process: Popen[str], begun: float) -> dict[int, float]:
    """How many nodes were alive in Ray, and from when on, until all are."""
    address = f"{head.address}:{PORT}"
    inside = ("docker", "exec", CONTAINER, "python3", "-c", WATCH, address, str(wanted))
    while (left := begun + BOUND - time()) > 1 and process.poll() in (None, 0):
        watch = head.run("timeout", f"{left:.0f}", *inside, check=False, timeout=2 * BOUND)
        if watch.returncode in (0, TIMED_OUT):  # else there is no such container yet, or no Ray in it
            lines = (line.split() for line in watch.stdout.splitlines())
            return {int(count): float(at) - begun for at, count in lines}
        sleep(0.2)
    return {}


def _installed() -> Path:
    """The folder of its virtual environment, made once for each version of Ray."""
    folder = image.cache() / f"launcher-{image.RAY.rpartition('=')[2]}"
    mark = folder / ".installed"
    if not mark.exists():
        run(sys.executable, "-m", "venv", "--clear", folder)
        ray = f"ray[default]{image.RAY.removeprefix('ray')}"
        run(folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", ray, timeout=600)
        mark.touch()  # last, so that an installation which was interrupted is done again
    return folder


def _settings(lab: Lab, gpus: int) -> Path:
    """What it reads; JSON is YAML."""
    head, *workers = (host.address for host in lab.hosts.values())
    mounts = (
        f"/root/{TOOLS}:/{TOOLS}:ro",
        *(f"/root/{TOOLS}/{each}:/usr/local/bin/{each}:ro" for each in ("ssh", "rsync")),
    )
    file = lab.folder / "launcher.yaml"
    file.write_text(
        json.dumps(
            {
                "cluster_name": "lab",
                "min_workers": len(workers),
                "max_workers": len(workers),
                "provider": {"type": "local", "head_ip": head, "worker_ips": workers},
                "auth": {"ssh_user": "root", "ssh_private_key": str(lab.home / ".ssh/id_ed25519")},
                "docker": {
                    "image": image.TAG,
                    "container_name": CONTAINER,
                    "pull_before_run": False,
                    "run_options": ["--shm-size=1g"],
                    "head_run_options": [word for mount in mounts for word in ("-v", mount)],
                },
                "head_start_ray_commands": [
                    "ray stop",
                    f"ray start --head --port={PORT} --node-ip-address={head} --num-gpus={gpus}"
                    " --autoscaling-config=~/ray_bootstrap_config.yaml",
                ],
                "worker_start_ray_commands": [
                    "ray stop",
                    f"ray start --address=$RAY_HEAD_IP:{PORT} --num-gpus={gpus}",
                ],
            }
        )
    )
    return file


def _equip(head: Host) -> None:
    """Lay the machine's ssh and rsync ready for the head's container, with their libraries: its Debian may differ."""
    folder = head.folder / "root" / TOOLS
    for place in ("bin", "lib"):
        (folder / place).mkdir(parents=True)
    for program in ("ssh", "rsync"):
        found = Path(shutil.which(program) or program)
        shutil.copy(found, folder / "bin")
        linked = [word for word in run("ldd", found).stdout.split() if word.startswith("/")]
        for library in linked:
            shutil.copy(library, folder / "lib")
        loader = next(Path(each).name for each in linked if Path(each).name.startswith("ld-linux"))
        wrapper = folder / program
        wrapper.write_text(WRAPPER.format(tools=TOOLS, loader=loader, program=program))
        wrapper.chmod(0o755)
