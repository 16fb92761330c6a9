"""The cluster's lock: one mutating run at a time, on the head, for as long as a command there runs.

`flock` on a file beside Ray's token, named after the head: hosts may share one home over the network, and another
cluster of the same name have its head on another of them. The lock belongs to the process that holds it, so none can
be left behind; who, since when and with which command stand in the file. Like the token, it is one for each user of
the head: everybody who works on a cluster logs in there as the same one.
"""

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Cluster
from orchestrator.plan.command import Command, Script
from orchestrator.plan.remedies import format_duration

HOLD = r"""
umask 077
folder=$HOME/.raycluster/$1
file=$folder/$(uname -n).lock
opened= got=
for try in 1 2 3 4 5; do
    mkdir -p "$folder" && exec 9<>"$file" || { sleep 0.1; continue; }
    opened=yes
    flock -n 9
    case $? in
        0) [ "$file" -ef /proc/self/fd/9 ] && got=yes && break ;;
        1) [ -s "$file" ] && break ;;
        *) exit 1 ;;
    esac
    sleep 0.1
done
[ "$opened" ] || exit 1
[ "$got" ] || { cat "$file"; date +%s; exit 75; }
printf '%s\n' "$$" "$(date +%s)" "$2" "$3" >"$file" || exit 1
echo held
while read -r -t "$4"; do echo alive; done
rm -f "$file"
rmdir "$folder" "$HOME/.raycluster" 2>/dev/null
exit 0
"""
"""Who leaves removes the file, so who opens it looks whether it is still the one there is. An empty file that is
locked: somebody only asks, for an instant.

Ends with standard input, or when nothing was read from it for `$4` seconds. Needs bash, for `read -t`.
"""

HOLDER = r"""
file=$HOME/.raycluster/$1/$(uname -n).lock
[ -e "$file" ] || exit 0
exec 9<"$file" || exit
flock -n 9 && exit
[ "$?" = 1 ] || exit 2
cat "$file"
date +%s
"""

RELEASE = r"""
file=$HOME/.raycluster/$1/$(uname -n).lock
[ "/proc/$2/fd/9" -ef "$file" ] || exit 0
kill "$2" || exit
while [ "/proc/$2/fd/9" -ef "$file" ]; do sleep 0.1; done
"""

HELD = "held"
"""The line that tells the lock is ours."""

TAKEN = 75
"""The exit code for a lock that another run has: sysexits' EX_TEMPFAIL."""

SILENCE_SECONDS = 45
"""A holder that has shown no sign of life for so long is dead, or behind a cable that was cut.

Longer than the holder itself needs to notice, QUIET_SECONDS: it has to stop before another may start.
"""


QUIET_SECONDS = 30
"""A holder that has heard nothing of its lock for so long takes it for lost. It is told every few seconds."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the lock: `user@machine`, the command, for how many seconds, and its process on the head."""

    by: str
    command: str
    seconds: float
    pid: int

    def sentence(self, cluster: Cluster) -> str:
        """That the cluster is locked, and by whom."""
        return f"cluster {cluster.name} is locked: {self.run}"

    @property
    def run(self) -> str:
        """Who runs what since when."""
        return f"{self.by} has run `raycluster {self.command}` for {format_duration(self.seconds)}"


def hold(cluster: Cluster, by: str, command: str) -> Command:
    """Takes the lock, says so, and keeps it until standard input ends; TAKEN where another has it."""
    words = (cluster.name, by, command, str(SILENCE_SECONDS))
    return Script("hold-lock", HOLD).command(*words, interpreter="bash")


def ask(cluster: Cluster) -> Command:
    """Prints the holder; nothing where the lock is free."""
    return Script("ask-lock", HOLDER).command(cluster.name)


def release(cluster: Cluster, holder: Holder) -> Command:
    """Ends the holder's process, if it still is the holder, and waits until it has ended."""
    release = Script("release-lock", RELEASE).command(cluster.name, str(holder.pid))
    return Command(("timeout", "10", *release.argv))


def parse(answer: str) -> Holder | None:
    """The holder, from the lines of the file and the head's clock after them; None: nobody holds it."""
    if not answer.strip():
        return None
    try:
        pid, since, by, command, now = answer.splitlines()
        return Holder(by, command, float(now) - float(since), int(pid))
    except ValueError:  # it has just been taken, and is not yet written
        return Holder("somebody", "a command", 0.0, 0)
