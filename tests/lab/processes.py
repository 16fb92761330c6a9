"""Machines are processes: each of the lab's holds its namespaces open, and is found again by its name."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

MARK = "raycluster-lab: "
OUTSIDE = " (outside)"
PROC = Path("/proc")


class LabError(Exception):
    """The lab did not do what it was asked."""


class UnavailableError(LabError):
    """This machine cannot have a lab; whoever wanted one should go without."""


def run(
    *argv: str | Path, check: bool = True, stdin: str = "", timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    command = [str(word) for word in argv]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=timeout)
    if check and done.returncode:
        raise LabError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done


def wait_until(what: str, holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds:g} s in vain for this: {what}")
        time.sleep(0.05)


def marked(name: str, *command: str | Path) -> list[str]:
    """The command line that runs `command` under a name by which `end_all` will find it."""
    words = [str(word) for word in command]
    return ["bash", "-c", 'exec -a "$0" "$@"', MARK + name + OUTSIDE, *words]


def start(name: str, log: Path, *command: str | Path) -> int:
    """Start a machine that outlives us; `command` must end in a process called MARK + name."""
    with log.open("w") as output:
        detached = ["setsid", "--fork", *marked(name, *command)]
        subprocess.run(detached, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True)
    try:
        wait_until(f"{name} has started", lambda: find(name) is not None, seconds=10)
    except LabError as problem:
        raise LabError(f"{problem}\n{log.read_text()}") from None
    return pid_of(name)


def find(name: str) -> int | None:
    return next((pid for pid, title in _titles() if title == MARK + name), None)


def pid_of(name: str) -> int:
    pid = find(name)
    if pid is None:
        raise LabError(f"{name} is not running")
    return pid


def machines() -> list[str]:
    """The names of all machines that run."""
    names = (title.removeprefix(MARK) for _, title in _titles() if title.startswith(MARK))
    return sorted({name for name in names if not name.endswith(OUTSIDE)})


def end(name: str) -> None:
    """Pull the plug: a machine's first process takes all others in its process namespace along."""
    _kill(pid for pid, title in _titles() if title in (MARK + name, MARK + name + OUTSIDE))
    _remove_cgroups(name)


def end_all() -> None:
    """End every machine, and first whatever still sits on one of their networks (commands on the laptop)."""
    ours = {pid: title for pid, title in _titles() if title.startswith(MARK)}
    inits = [pid for pid, title in ours.items() if not title.endswith(OUTSIDE)]
    networks = {_network(pid) for pid in inits} - {_network(os.getpid()), _network(1), None}
    _kill(pid for pid in _pids() if pid not in ours and _network(pid) in networks)
    _kill(ours)
    _remove_cgroups()


def inside(name: str) -> list[int]:
    """What runs on the machine's network, its holder aside."""
    holder = pid_of(name)
    return [pid for pid in _pids() if pid != holder and _network(pid) == _network(holder)]


def _kill(pids: Iterable[int]) -> None:
    doomed = list(pids)
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(f"processes {doomed} have ended", lambda: all(map(_is_gone, doomed)))


def _is_gone(pid: int) -> bool:
    # Judged by its state: a dying init has no command line any more while its children still die.
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _titles() -> Iterator[tuple[int, str]]:
    for pid in _pids():
        with contextlib.suppress(OSError):
            title = (PROC / str(pid) / "cmdline").read_bytes().partition(b"\0")[0]
            yield pid, title.decode(errors="replace")


def _pids() -> list[int]:
    return [int(folder.name) for folder in PROC.iterdir() if folder.name.isdecimal()]


def _network(pid: int) -> str | None:
    try:
        return str((PROC / str(pid) / "ns/net").readlink())
    except OSError:
        return None


def _remove_cgroups(name: str = "") -> None:
    # Containers that die with their host leave their cgroups behind; a rebooted machine would have none.
    roots = [*Path("/sys/fs/cgroup").glob("raycluster-lab"), *Path("/sys/fs/cgroup").glob("*/raycluster-lab")]
    folders = [root / name for root in roots if not root.parent.is_symlink()]
    wait_until("the cgroups are empty", lambda: all(map(_remove_tree_of_cgroups, folders)), seconds=10)


def _remove_tree_of_cgroups(root: Path) -> bool:
    for folder, _, _ in os.walk(root, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    return not root.exists()
