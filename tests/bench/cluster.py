"""A cluster on three real hosts: `up`, `down` and `status` beside doing it by hand, and beside Ray's own launcher."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab import image, lifecycle
from tests.lab.host import Host
from tests.lab.lab import Lab

from . import launcher
from .measure import BenchError, Run, Way, side_by_side, timed, wall
from .row import Row

HOSTS = 3
GPUS = 8
"""That the inventory says each host has; Ray believes it."""
LIVES, LOOKS = 5, 7
"""How often a cluster is brought up and taken down; how often one that stands is looked at."""

UP, DOWN, STANDING, FASTER = 1.10, 1.15, 1.5, 3.0
FLOOR = Path(__file__).with_name("floor.sh")
OURS, HAND = "ours", "by hand"
# The program, until it has all that it needs for a handshake: it ends there. Hosts take the call meanwhile.
UNTIL_IT_IS_THERE = """\
import os
from orchestrator.cli.app import main
from orchestrator.remote.ssh import paramiko_setup
import_fabric = paramiko_setup.import_fabric
paramiko_setup.import_fabric = lambda: (import_fabric(), os._exit(0))
main()
"""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Life:
    """A cluster's: from nothing to joined, and back to nothing."""

    up: Run
    down: Run


def rows(say: Say) -> list[Row]:
    """Needs root, and up to ten minutes."""
    with lifecycle.in_order(HOSTS, say) as lab:
        say(f"up and down, {LIVES} times, and by hand")
        lives = side_by_side({OURS: lambda: _life(lab), HAND: lambda: _life_by_hand(lab)}, LIVES)
        ups = {way: [life.up for life in those] for way, those in lives.items()}
        downs = {way: [life.down for life in those] for way, those in lives.items()}
        return [
            _ratio("up", "by hand: ssh, docker run, a look into Ray", ups[OURS], ups[HAND], UP),
            _ratio("down", "by hand: ssh, docker stop, rm, ps", downs[OURS], downs[HAND], DOWN),
            *_of_one_that_stands(lab, say),
            _beside_the_launcher(lab, wall(ups[OURS]), say),
        ]


def _life(lab: Lab) -> Life:
    _clear(lab)
    return Life(_says(lab, "is up", "up")(), _says(lab, "is down", "down")())


def _life_by_hand(lab: Lab) -> Life:
    _clear(lab)
    addresses = [host.address for host in lab.hosts.values()]
    up = _on_the_laptop(lab, "bash", FLOOR, "up", image.TAG, str(GPUS), *addresses)
    down = _on_the_laptop(lab, "bash", FLOOR, "down", *addresses)
    return Life(timed(up)[0], timed(down)[0])


def _clear(lab: Lab) -> None:
    for host in lab.hosts.values():
        host.remove_containers()


def _ratio(what: str, beside: str, ours: Sequence[Run], theirs: Sequence[Run], limit: float) -> Row:
    note = f"{wall(ours):.2f} s to {wall(theirs):.2f} s"
    return Row(f"{what}, {HOSTS} hosts", beside, wall(ours) / wall(theirs), limit=limit, note=note)


def _of_one_that_stands(lab: Lab, say: Say) -> list[Row]:
    _clear(lab)
    _says(lab, "is up", "up")()
    say(f"up and status of a cluster that stands, {LOOKS} times, and docker ps by hand")
    ways = {
        "up": _says(lab, "nothing to do", "up"),
        "status": _says(lab, "is healthy", "status"),
        "start of up": _start(lab, "up"),
        "start of status": _start(lab, "status"),
        "python": _python_in(_head(lab)),
        HAND: _way(_on_the_laptop(lab, "bash", "-c", _docker_ps(lab))),
    }
    walls = {way: wall(runs) for way, runs in side_by_side(ways, LOOKS).items()}
    return [
        less_the_starts("up again", walls["up"], walls["start of up"], walls),
        less_the_starts("status", walls["status"], walls["start of status"], walls),
    ]


def less_the_starts(what: str, whole: float, start: float, walls: dict[str, float]) -> Row:
    python, theirs = walls["python"], walls[HAND]
    left = whole - start - python
    note = (
        f"{left:.2f} s to {theirs:.2f} s: {whole:.2f} s less {start:.2f} s until it is there"
        f" and {python:.2f} s for one Python with Ray's client in the head's container"
    )
    beside = "by hand: ssh docker ps, side by side"
    return Row(f"{what}, {HOSTS} hosts, less two starts", beside, left / theirs, limit=STANDING, note=note)


def _docker_ps(lab: Lab) -> str:
    each = (f"ssh -n -o BatchMode=yes {host.address} docker ps & ids+=($!)" for host in lab.hosts.values())
    return "\n".join(("set -e; ids=()", *each, 'for id in "${ids[@]}"; do wait "$id"; done'))


def _start(lab: Lab, command: str) -> Way:
    return _way(_on_the_laptop(lab, sys.executable, "-c", UNTIL_IT_IS_THERE, command, _inventory(lab)))


def _python_in(head: Host) -> Way:
    program = "from ray._raylet import GcsClient"
    return _way(head.command(["docker", "exec", f"raycluster-lab-{head.name}", "python3", "-c", program]))


def _head(lab: Lab) -> Host:
    return next(iter(lab.hosts.values()))


def _beside_the_launcher(lab: Lab, ours: float, say: Say) -> Row:
    _clear(lab)
    say(f"ray up, once, for {launcher.BOUND} s at most")
    seen = launcher.up(lab, GPUS)
    more = "" if seen.is_complete else "more than "
    note = f"{ours:.1f} s to {more}{seen.seconds:.1f} s: {seen}"
    what = f"up, {HOSTS} hosts, how many times faster"
    return Row(what, "ray up, Ray's launcher", seen.seconds / ours, limit=FASTER, more=True, note=note)


def _says(lab: Lab, words: str, command: str) -> Way:
    """This checkout's `raycluster`, and that it says so."""
    argv, _ = lab.raycluster_command(command, _inventory(lab))
    line = _on_the_laptop(lab, *argv)

    def way() -> Run:
        run, said = timed(line)
        if words not in said:
            raise BenchError(f"{command} does not say {words!r}:\n{said}")
        return run

    return way


def _inventory(lab: Lab) -> Path:
    return lab.inventory(ray={"num_gpus": GPUS})


def _way(argv: Sequence[str]) -> Way:
    return lambda: timed(argv)[0]


def _on_the_laptop(lab: Lab, *argv: str | Path) -> list[str]:
    compiled = {  # once, as what is installed is
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(lab.folder / "pycache"),
    }
    _, settings = lab.raycluster_command(env=compiled)
    return lab.desk.command(argv, settings, lab.folder)
