"""One run: the fleet, Ctrl-C, and who is told what happens."""

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import field
from pathlib import Path
from threading import Event

import typer

from orchestrator import __version__
from orchestrator.cli import usage
from orchestrator.cli.exit_codes import INTERRUPTED, LOCKED
from orchestrator.cli.options import RunOptions
from orchestrator.cli.output import readers
from orchestrator.cli.output.console import failed, notice
from orchestrator.cli.output.progress import Aside, display
from orchestrator.cli.output.typed import line
from orchestrator.cli.run import inventory_file
from orchestrator.cli.run.run_log import Mask, keep_run_log
from orchestrator.cli.run.signals import stopped_by_signals
from orchestrator.frozen import dataclass
from orchestrator.model import redact
from orchestrator.model.cluster import Cluster, Node
from orchestrator.model.secret import Secret
from orchestrator.plan import lock
from orchestrator.plan.facts.containers import unknown_hosts
from orchestrator.plan.facts.host import Depth, Facts, HostFacts
from orchestrator.plan.lock import Holder
from orchestrator.plan.problem import Problem
from orchestrator.plan.steps import Plan
from orchestrator.plan.typed import ours
from orchestrator.remote.execute.events import Happening, LockHeld, Noted, Report, Tell
from orchestrator.remote.execute.lock import Lock, ourselves
from orchestrator.remote.execute.runner import execute
from orchestrator.remote.fleet import Fleet, connect_to
from orchestrator.remote.observe.hosts import observe, unreachable
from orchestrator.remote.transport import Failure, FailureKind

LOCK_SECONDS, LOCK_AGAIN, SURELY = 60.0, 0.5, 2
"""For how long another run's end is waited for, where it is waited for; the time between two tries; after how many
it is told."""

DOUBT_SECONDS = 3.0
"""In which a lock that goes with the connection is noticed to be lost."""


@dataclass(frozen=True, slots=True)
class Session:
    """A run: looks at hosts and executes plans on them, telling all listeners.

    `aside`: while something else is printed, so that what the run shows of itself is not in its way.
    `lost` has the reason once the run has lost the cluster's lock, and with it its right to go on.
    """

    command: str
    cluster: Cluster
    pace: RunOptions
    fleet: Fleet
    listeners: tuple[Tell, ...]
    mask: Mask
    log: Path | None
    cancel: Event = field(default_factory=Event)
    lost: list[str] = field(default_factory=list)
    aside: Aside = nullcontext

    def tell(self, happening: Happening) -> None:
        for listener in self.listeners:
            listener(happening)

    def stop_if_interrupted(self) -> None:
        """For a command that only looks: after Ctrl-C it has nothing to say, and the exit code is 130."""
        if self.lost:
            failed(
                self.cluster.head.name,
                Problem("; ".join(self.lost), ours("lock status")),
            )
        if self.cancel.is_set():
            raise typer.Exit(INTERRUPTED)

    def observe_all(self, depth: Depth) -> Facts:
        """The facts of every host, also of those that only Ray knows, where it is asked."""
        facts = self.observe(self.cluster.nodes, depth)
        return facts | self.observe_outside(facts, depth)

    def observe_outside(self, facts: Facts, depth: Depth) -> Facts:
        """The facts of hosts that the inventory does not have and Ray lists."""
        others = unknown_hosts(self.cluster, facts)
        self.fleet.add(others)
        return self.observe(others, depth) if others else {}

    def observe_but(self, known: Facts, depth: Depth) -> Facts:
        """The facts of the inventory's hosts, where some are known already."""
        nodes = tuple(node for node in self.cluster.nodes if node.name not in known)
        facts = known | self.observe(nodes, depth)
        return {node.name: facts[node.name] for node in self.cluster.nodes}

    def observe(self, nodes: tuple[Node, ...], depth: Depth) -> Facts:
        facts = observe(self.cluster, nodes, self.fleet, self.tell, self.cancel, depth=depth)
        for host in facts.values():
            if isinstance(host, HostFacts) and host.token:
                self.mask.add(host.token)
        return facts

    @contextmanager
    def locked(self, after: tuple[str, ...] = ()) -> Iterator[Facts]:
        """With the cluster's lock; exit code 4 where another run has it. `after`: commands that soon let it go.

        Yields what is known of the head where it could not be asked for the lock: nothing else is done there.
        """
        head = self.cluster.head
        match taken := self._take(self._lose, self.cancel, lambda holder: holder.command in after):
            case Holder():
                why = taken.sentence(self.cluster)
                self.tell(LockHeld(why))
                notice().print(f"✗ {why}", style="bold red")
                release = line("lock release")
                notice().print(f"Nothing was done. Wait until it has ended; if it is stuck: {release}")
                raise typer.Exit(LOCKED)
            case Failure():
                yield {head.name: unreachable(taken)}
            case Lock():
                try:
                    yield {}
                finally:
                    taken.free()

    @contextmanager
    def locked_to_clean_up(self) -> Iterator[str]:
        """With the lock once more, also after Ctrl-C; yields why it cannot be had, after some time, or nothing."""
        match taken := self._take(lambda _: None, Event(), lambda _: True):
            case Holder():
                yield taken.sentence(self.cluster)
            case Failure():
                yield f"{self.cluster.head.name}: {taken.message}"
            case Lock():
                try:
                    yield ""
                finally:
                    taken.free()

    def _take(
        self, lose: Callable[[str], None], cancel: Event, is_soon_over: Callable[[Holder], bool]
    ) -> Lock | Holder | Failure:
        """The lock, for some time waited for where whoever has it is soon over."""
        head, hold = self.cluster.head, lock.hold(self.cluster, ourselves(), self.command)
        until, tried = time.monotonic() + LOCK_SECONDS, 0
        while True:
            tried += 1
            taken = Lock(self.fleet[head.name], hold, lose).take(cancel, head.ssh.connect_seconds)
            over = time.monotonic() > until or cancel.is_set()
            if over or not (isinstance(taken, Holder) and is_soon_over(taken)):
                return taken
            if tried == SURELY:  # its process may take a moment to end, be it our own from before
                self.tell(Noted(head.name, f"waits for its turn: {taken.sentence(self.cluster)}"))
            cancel.wait(LOCK_AGAIN)

    def _lose(self, why: str) -> None:
        self.lost.append(f"its lock on {self.cluster.head.name} was lost: {why}")
        self.cancel.set()

    def why_lost(self, report: Report) -> str:
        """Why the lock is lost; empty where it is held. It ends with the connection, maybe a moment later."""
        head = self.cluster.head.name
        if any(each.step.host == head and _is_unheard(each.failure) for each in report.failed):
            self.cancel.wait(DOUBT_SECONDS)
        return "; ".join(self.lost)

    def execute(self, plan: Plan) -> Report:
        return execute(plan, self.fleet, self.tell, self.cancel)

    def clean_up(self, plan: Plan) -> Report:
        """Executes also after Ctrl-C: what it undoes was begun by this run."""
        return execute(plan, self.fleet, self.tell, Event())


def _is_unheard(failure: Failure | None) -> bool:
    """Whether it is the connection that failed, rather than what was asked of the host."""
    kinds = FailureKind.UNREACHABLE, FailureKind.TIMEOUT
    return failure is not None and failure.kind in kinds and failure.exit_code is None


@contextmanager
def session(
    cluster: Cluster,
    command: str,
    pace: RunOptions,
    *,
    logged: bool,
    secrets: tuple[Secret, ...] = (),
    shown: bool = True,
) -> Iterator[Session]:
    """A session whose end closes its connections, its display and its log. `shown`: with a display.

    `logged`: it acts, so it keeps a log, and goes on when nobody reads what it says.
    """
    with ExitStack() as stack:
        mask = Mask(secrets)
        listeners: list[Tell] = []
        aside: Aside = nullcontext
        if pace.events:
            from orchestrator.cli.output.jsonl import as_events

            listeners.append(as_events(command, cluster, mask))
        elif shown:
            hosts = tuple(node.name for node in cluster.nodes)
            screen = stack.enter_context(display(hosts, pace.verbose, mask))
            listeners.append(screen)
            aside = screen.aside
        run_log = None
        if logged:
            readers.act()
            run_log = keep_run_log(command, mask)
        if run_log:
            stack.callback(run_log.close)
            run_log.fields(**_what_runs(cluster))
            listeners.append(run_log)
        fleet = stack.enter_context(Fleet(cluster, connect_to, pace.jobs))
        log = run_log.path if run_log else None
        run = Session(command, cluster, pace, fleet, tuple(listeners), mask, log, aside=aside)
        stack.enter_context(stopped_by_signals(run.cancel))
        try:
            yield run
        except typer.Exit as left:
            if run_log:
                run_log.fields(**{"exit code": str(left.exit_code)})
            raise


def _what_runs(cluster: Cluster) -> dict[str, str]:
    """What a log begins with."""
    words, inventory = usage.command_line(), inventory_file.in_use()
    return {
        "raycluster": __version__,
        "command": shlex.join(("raycluster", *redact.arguments(tuple(words)))),
        "inventory": inventory,
        "cluster": cluster.name,
        "began": time.strftime("%Y-%m-%dT%H:%M:%S"),
    }


def look(
    cluster: Cluster, command: str, depth: Depth, pace: RunOptions, nodes: tuple[Node, ...] | None = None
) -> Facts:
    """The facts of some hosts, or of all, for a command that only reads; exit code 130 after Ctrl-C."""
    with session(cluster, command, pace, logged=False) as run:
        facts = run.observe(nodes or cluster.nodes, depth)
    run.stop_if_interrupted()
    return facts
