"""Machines are processes: each of the lab's holds its namespaces open, and is found again by its name.

Labs stand side by side, each with a name of its own, which the titles of its processes and its cgroups begin with.
"""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

MARK = "raycluster-lab"
OUTSIDE = " (outside)"
PROC = Path("/proc")
# A builder's own processes, to be ended as one after a crash; its own mounts, because debootstrap makes some.
NAMESPACES = ("--mount", "--pid", "--mount-proc", "--fork", "--kill-child")
CHECKOUT = Path(__file__).resolve().parents[2]


class LabError(Exception):
    """The lab did not do what it was asked."""


class UnavailableError(LabError):
    """This machine cannot have a lab; whoever wanted one should go without."""


def lab() -> str:
    """The name of our lab: $RAYCLUSTER_LAB, or the checkout's; pytest-xdist's workers have one each, `name.gw0`."""
    chosen = os.environ.get("RAYCLUSTER_LAB") or CHECKOUT.name
    family = re.sub(r"[^a-z0-9]+", "-", chosen.lower()).strip("-")[:20] or "lab"
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return f"{family}.{worker}" if worker else family


def title(name: str, of: str = "") -> str:
    """The name under which a machine's first process is found, in our lab or in the lab `of` that name."""
    return f"{MARK} {of or lab()}: {name}"


def cgroup(of: str = "") -> str:
    """The folder of all cgroups of our lab, or of the lab `of` that name."""
    return f"{MARK}-{of or lab()}"


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
    while (began := time.monotonic()) and not holds():
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds:g} s in vain for this: {what}")
        time.sleep(
            max(0.05, time.monotonic() - began)
        )  # a look that costs much leaves others half of the time


def marked(name: str, *command: str | Path) -> list[str]:
    """The command line that runs `command` under a name by which `end_all` will find it."""
    words = [str(word) for word in command]
    return ["bash", "-c", 'exec -a "$0" "$@"', title(name) + OUTSIDE, *words]


def carry_out(recipe: Iterable[str | Path], log: Path, failed: str) -> None:
    """Run a recipe for a root file system to its end; UnavailableError with its last words, where it fails."""
    with log.open("w") as output:
        done = subprocess.run(
            marked("builder", "unshare", *NAMESPACES, *recipe),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
        raise UnavailableError(f"{failed}:\n{last}")


def start(name: str, log: Path, *command: str | Path) -> int:
    """Start a machine that outlives us; `command` must end in a process called `title(name)`."""
    with log.open("w") as output:
        detached = ["setsid", "--fork", *marked(name, *command)]
        subprocess.run(detached, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True)
    try:
        wait_until(f"{name} has started", lambda: find(name) is not None, seconds=10)
    except LabError as problem:
        raise LabError(f"{problem}\n{log.read_text()}") from None
    return pid_of(name)


def find(name: str) -> int | None:
    wanted = title(name)
    if _title(_found.get(wanted, 0)) != wanted:
        _found[wanted] = next((pid for pid, each in _titles() if each == wanted), 0)
    return _found[wanted] or None


_found: dict[str, int] = {}
"""Where machines were seen last: most are still there, and looking through all processes takes its time."""


def pid_of(name: str) -> int:
    pid = find(name)
    if pid is None:
        raise LabError(f"{name} is not running")
    return pid


def machines(of: str = "") -> list[str]:
    """The names of all machines that run, of our lab or of the lab `of` that name."""
    ours = title("", of)
    names = (each.removeprefix(ours) for _, each in _titles() if each.startswith(ours))
    return sorted({name for name in names if not name.endswith(OUTSIDE)})


def end(name: str) -> None:
    """Pull the plug: a machine's first process takes all others in its process namespace along."""
    _kill(pid for pid, each in _titles() if each in (title(name), title(name) + OUTSIDE))
    _remove_cgroups(f"{cgroup()}/{name}")


def end_all(of: str) -> None:
    """End every machine of a lab, and first whatever still sits on their networks (commands on the laptop)."""
    ours = {pid: each for pid, each in _titles() if each.startswith(title("", of))}
    inits = [pid for pid, each in ours.items() if not each.endswith(OUTSIDE)]
    networks = {_network(pid) for pid in inits} - {_network(os.getpid()), _network(1), None}
    _kill(pid for pid in _pids() if pid not in ours and _network(pid) in networks)
    _kill(ours)
    _remove_cgroups(cgroup(of))


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
    return ((pid, _title(pid)) for pid in _pids())


def _title(pid: int) -> str:
    with contextlib.suppress(OSError):
        words = (PROC / str(pid) / "cmdline").read_bytes()
        return words.partition(b"\0")[0].decode(errors="replace")
    return ""


def _pids() -> list[int]:
    return [int(folder.name) for folder in PROC.iterdir() if folder.name.isdecimal()]


def _network(pid: int) -> str | None:
    try:
        return str((PROC / str(pid) / "ns/net").readlink())
    except OSError:
        return None


def _remove_cgroups(folder: str) -> None:
    # Containers that die with their host leave their cgroups behind; a rebooted machine would have none.
    found = [*Path("/sys/fs/cgroup").glob(folder), *Path("/sys/fs/cgroup").glob(f"*/{folder}")]
    roots = [root for root in found if not any(parent.is_symlink() for parent in root.parents)]
    wait_until("the cgroups are empty", lambda: all(map(_remove_tree_of_cgroups, roots)), seconds=10)


def _remove_tree_of_cgroups(root: Path) -> bool:
    for folder, _, _ in os.walk(root, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    return not root.exists()
