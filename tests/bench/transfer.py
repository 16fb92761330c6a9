"""An image from one host to others: beside one copy, beside the way through the laptop, and beside a star by hand.

Every cable of the lab carries 100 Mb/s, so that the cables and not this machine's cores are what is measured.
"""

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from tests.lab import lifecycle, network
from tests.lab.image import TAG
from tests.lab.lab import Lab

from .measure import BenchError
from .row import Row

HOSTS = 8
RATE, BYTES_A_SECOND = "100mbit", 12.5e6
IMAGE, LAYERED = "moved:1", "moved:2"
SIZE, LAYER = 300_000_000, 60_000_000
"""Large enough for what Docker needs to begin and to end, on two cores for eight hosts, to be a small part."""
ONE_COPY, THROUGH_LAPTOP, STAR, LOST, UNLIMITED = 1.25, 5.0, 4.0, 1.6, 1.25
LAPTOP_BYTES, HOST_BYTES, LAYER_BYTES, MEMORY = 1e6, 1e5, 1.2, 64.0
MAKE = """
cd "$(mktemp -d)"
head -c "$1" /dev/urandom >moved
tar c moved | docker import - "$2" >/dev/null
rm moved
"""
ADD = """
cd "$(mktemp -d)"
head -c "$1" /dev/urandom >moved
printf 'FROM %s\nCOPY moved /moved\n' "$3" >Dockerfile
docker build -q -t "$2" . >/dev/null 2>&1
rm moved
"""
SSH = "ssh -q -i /run/star -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
SHIPPED = """
jobs=()
for each in "$@"; do {way} & jobs+=("$!"); done
for job in "${{jobs[@]}}"; do wait "$job" || exit; done
"""
BY_SSH = SHIPPED.format(way=f'docker save {IMAGE} | {SSH} "$each" docker load -q >/dev/null')
BY_RSYNC = f"docker save {IMAGE} >/run/moved.tar\n" + SHIPPED.format(
    way=f'rsync -e "{SSH}" /run/moved.tar "$each:/run/" && {SSH} "$each" docker load -qi /run/moved.tar >/dev/null'
)
Say = Callable[[str], None]


def rows(say: Say) -> list[Row]:
    """Needs root, and a quarter of an hour."""
    with lifecycle.in_order(HOSTS, say) as lab:
        names = [*lab.hosts, "laptop"]
        first, targets = lab.hosts["gpu1"], [name for name in lab.hosts if name != "gpu1"]
        first.run("sh", "-ec", MAKE, "make", str(SIZE), IMAGE)
        first.run("sh", "-ec", ADD, "add", str(LAYER), LAYERED, TAG)
        with network.limited(RATE, *names):
            say("an image to one host and to seven")
            one = _copied(lab, ["gpu2"])
            before = _came("laptop") + _left("laptop")
            with memory(lab) as peak:
                seven = _copied(lab, targets)
            laptop = _came("laptop") + _left("laptop") - before
            say("one of seven is cut off half way")
            lost = _with_a_loss(lab, targets, seven / 2)
            say("through the laptop, as before")
            through = _copied(lab, targets, "--via", "laptop")
            say("a star by ssh, and by rsync")
            stars = {name: _star(lab, targets, text) for name, text in (("ssh", BY_SSH), ("rsync", BY_RSYNC))}
            say("a layer")
            layer = _layer(lab, targets)
        say("no limit on cables")
        free = {way: _copied(lab, ["gpu2", "gpu3"], *way) for way in ((), ("--via", "laptop"))}
        _forget(lab)
    star = [
        Row(
            f"a star by {name} to {len(targets)} hosts",
            "this one",
            seconds / seven,
            limit=STAR,
            more=True,
            note=note(seconds, seven),
        )
        for name, seconds in stars.items()
    ]
    return [
        Row(
            f"an image to {len(targets)} hosts",
            "to 1 host",
            seven / one,
            limit=ONE_COPY,
            note=note(seven, one),
        ),
        Row(
            "through the laptop",
            "this one",
            through / seven,
            limit=THROUGH_LAPTOP,
            more=True,
            note=note(through, seven),
        ),
        *star,
        Row(
            "bytes on the laptop's cable",
            "",
            laptop / 1e6,
            "MB",
            (LAPTOP_BYTES + len(targets) * HOST_BYTES) / 1e6,
        ),
        Row(
            "a layer of 60 MB: bytes to a host",
            "the layer",
            layer / LAYER,
            limit=LAYER_BYTES,
            note=f"{layer / 1e6:.1f} MB",
        ),
        Row("one of seven cut off half way", "undisturbed", lost / seven, limit=LOST, note=note(lost, seven)),
        Row(
            "two hosts, no limit",
            "through the laptop",
            free[()] / free["--via", "laptop"],
            limit=UNLIMITED,
            note=note(free[()], free["--via", "laptop"]),
        ),
        Row("memory of a relay", "", peak[0] / 1e3, "MB", MEMORY),
    ]


def note(ours: float, theirs: float) -> str:
    return f"{ours:.1f} s to {theirs:.1f} s"


def _copied(lab: Lab, targets: list[str], *words: str, image: str = IMAGE) -> float:
    """The seconds of a whole command, which has to succeed."""
    _forget(lab, image)
    began = time.monotonic()
    done = lab.raycluster(
        "image", "copy", image, "-i", lab.inventory(), "-l", ",".join(("gpu1", *targets)), *words, timeout=600
    )
    if done.returncode:
        raise BenchError(done.stderr)
    return time.monotonic() - began


def _with_a_loss(lab: Lab, targets: list[str], after: float) -> float:
    _forget(lab)
    began = time.monotonic()
    running = lab.raycluster_popen("image", "copy", IMAGE, "-i", lab.inventory())
    try:
        running.wait(after)
    except Exception:  # noqa: BLE001 - it is to be still running
        lab.hosts["gpu4"].cut()
    _, said = running.communicate(timeout=300)
    seconds = time.monotonic() - began
    lab.hosts["gpu4"].mend()
    have = [name for name in targets if lab.hosts[name].docker("images", "--quiet", IMAGE)]
    if running.returncode != 1 or len(have) != len(targets) - 1:
        raise BenchError(f"{have}: {said}")
    return seconds


def _star(lab: Lab, targets: list[str], text: str) -> float:
    """By the first host itself, which has a key for the others."""
    _forget(lab)
    first = lab.hosts["gpu1"]
    first.run("sh", "-c", "rm -f /run/star*; ssh-keygen -q -t ed25519 -N '' -f /run/star")
    key = first.run("cat", "/run/star.pub").stdout.strip()
    for name in targets:
        lab.hosts[name].run("sh", "-c", f"echo {shlex.quote(key)} >>/etc/ssh/authorized_keys")
    began = time.monotonic()
    done = first.run(
        "bash", "-c", text, "star", *(lab.hosts[name].address for name in targets), timeout=600, check=False
    )
    if done.returncode:
        raise BenchError(done.stderr)
    return time.monotonic() - began


def _layer(lab: Lab, targets: list[str]) -> float:
    """The bytes that the last host received."""
    before = _left(targets[-1])
    _copied(lab, targets, image=LAYERED)
    return _left(targets[-1]) - before


def _forget(lab: Lab, image: str = IMAGE) -> None:
    for name, host in lab.hosts.items():
        if name != "gpu1":
            host.docker("rmi", "--force", image, check=False)
            host.run("rm", "-f", "/run/moved.tar")


def _came(machine: str) -> float:
    return network.counted(machine, "rx")


def _left(machine: str) -> float:
    """From the switch to the machine."""
    return network.counted(machine, "tx")


@contextmanager
def memory(lab: Lab) -> Iterator[list[int]]:
    """The most that any relay has had, in kB, as it is once this is over."""
    peak, over = [0], Event()
    text = """for pid in $(pgrep -f "python[3] -c import base64,zlib"); do
        case $(cat /proc/$pid/comm) in python*) grep VmHWM /proc/$pid/status ;; esac
    done"""

    def look() -> None:
        while not over.wait(1):
            for host in lab.hosts.values():
                said = host.run("sh", "-c", text, check=False).stdout.split()
                peak[0] = max([peak[0], *(int(word) for word in said if word.isdecimal())])

    looking = Thread(target=look, daemon=True)
    looking.start()
    try:
        yield peak
    finally:
        over.set()
        looking.join()
