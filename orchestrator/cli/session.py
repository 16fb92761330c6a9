"""One run over SSH: the fleet, Ctrl-C, and who is told what happens."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from orchestrator.cli.journal import Mask, keep_journal
from orchestrator.cli.options import Pace
from orchestrator.cli.progress import display
from orchestrator.cli.screen import notice
from orchestrator.model.cluster import Cluster
from orchestrator.model.secret import Secret
from orchestrator.plan.facts import Facts, HostFacts
from orchestrator.plan.steps import Plan
from orchestrator.remote.fleet import Fleet
from orchestrator.remote.observe import observe
from orchestrator.remote.report import Happening, Report, Tell
from orchestrator.remote.runner import execute

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Session:
    """A run: looks at hosts and executes plans on them, telling all listeners."""

    cluster: Cluster
    fleet: Fleet
    listeners: tuple[Tell, ...]
    mask: Mask
    log: Path | None
    cancel: Event = field(default_factory=Event)

    def tell(self, happening: Happening) -> None:
        for listener in self.listeners:
            listener(happening)

    def observe(self) -> Facts:
        facts = observe(self.cluster, self.fleet, self.tell, self.cancel)
        for host in facts.values():
            if isinstance(host, HostFacts) and host.token:
                self.mask.add(host.token)
        return facts

    def execute(self, plan: Plan) -> Report:
        return execute(plan, self.fleet, self.tell, self.cancel)

    def clean_up(self, plan: Plan) -> Report:
        """Executes also after Ctrl-C: what it undoes was begun by this run."""
        return execute(plan, self.fleet, self.tell, Event())


@contextmanager
def session(
    cluster: Cluster, command: str, pace: Pace, *, logged: bool, secrets: tuple[Secret, ...] = ()
) -> Iterator[Session]:
    """A session whose end closes its connections, its display and its log."""
    from orchestrator.remote.ssh import SshTransport

    with ExitStack() as stack:
        mask = Mask(secrets)
        listeners = [
            stack.enter_context(display(tuple(node.name for node in cluster.nodes), pace.verbose, mask))
        ]
        journal = keep_journal(command, mask) if logged else None
        if journal:
            stack.callback(journal.close)
        fleet = stack.enter_context(Fleet(cluster, lambda node: SshTransport(node.host, node.ssh), pace.jobs))
        run = Session(
            cluster,
            fleet,
            (*listeners, *([journal] if journal else [])),
            mask,
            journal.path if journal else None,
        )
        stack.enter_context(_ctrl_c(run.cancel))
        yield run


@contextmanager
def _ctrl_c(cancel: Event) -> Iterator[None]:
    """The first Ctrl-C asks the run to stop in good order, the second leaves at once."""

    def interrupt(*_: object) -> None:
        if cancel.is_set():
            notice().show_cursor()
            os._exit(INTERRUPTED)
        cancel.set()
        notice().print("interrupted: stopping in good order (Ctrl-C again leaves at once)")

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
