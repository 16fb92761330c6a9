"""The cluster's lock: one mutating run at a time, on the head, for as long as a command there runs.

`flock` on a file beside Ray's token. The lock belongs to the process that holds it, so none can be left
behind; who, since when and with which command stand in the file.
"""

from dataclasses import dataclass

from orchestrator.model.cluster import Cluster
from orchestrator.plan import scripts
from orchestrator.plan.command import Command

HELD = "held"
"""The line that tells the lock is ours."""

TAKEN = 75
"""The exit code for a lock that another run has: sysexits' EX_TEMPFAIL."""

SILENCE_SECONDS = 45
"""A holder that has shown no sign of life for so long is dead, or behind a cable that was cut.

Longer than the holder itself needs to notice: it must have stopped before another may start.
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the lock: `user@machine`, the command, for how many seconds, and its process on the head."""

    by: str
    command: str
    seconds: float
    pid: int


def hold(cluster: Cluster, by: str, command: str) -> Command:
    """Takes the lock, says so, and keeps it until standard input ends; TAKEN where another has it."""
    words = (cluster.name, by, command, str(SILENCE_SECONDS))
    return Command(("bash", "-c", scripts.HOLD, "hold-lock", *words))


def ask(cluster: Cluster) -> Command:
    """Prints the holder; nothing where the lock is free."""
    return Command(("sh", "-c", scripts.HOLDER, "ask-lock", cluster.name))


def release(cluster: Cluster, holder: Holder) -> Command:
    """Ends the holder's process, if it still is the holder, and waits until it has ended."""
    script = ("sh", "-c", scripts.RELEASE, "release-lock", cluster.name, str(holder.pid))
    return Command(("timeout", "10", *script))


def parse(told: str) -> Holder | None:
    """The holder, from the lines of the file and the head's clock after them; None: nobody holds it."""
    if not told.strip():
        return None
    try:
        pid, since, by, command, now = told.splitlines()
        return Holder(by, command, float(now) - float(since), int(pid))
    except ValueError:  # it has just been taken, and is not yet written
        return Holder("somebody", "a command", 0.0, 0)
