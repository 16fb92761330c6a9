"""Watching the way to a dashboard while its tunnel is open: what goes wrong is told once, and when it is over."""

import math
from dataclasses import replace
from threading import Event

import typer

from orchestrator.cli.exit_codes import INTERRUPTED
from orchestrator.cli.output.console import failed, notice
from orchestrator.cli.output.typed import shown
from orchestrator.plan.host_commands import stay
from orchestrator.plan.problem import Problem
from orchestrator.plan.status.services import Dashboard
from orchestrator.remote.transport import Failure, Transport, Wire

LOOK = 0.5  # seconds after which it is looked whether to stop


class TunnelMonitor:
    """The head, and the dashboard on it. Until `cancel` is set."""

    def __init__(self, host: str, transport: Transport, dashboard: Dashboard, cancel: Event) -> None:
        self._host, self._transport, self._dashboard, self._cancel = host, transport, dashboard, cancel
        self._asked = Event()
        self._trouble = ""

    def begin(self) -> None:
        """Sees that something is where the dashboard should be; exit code 1 if not."""
        wire = self._connect(self._cancel)
        if not isinstance(wire, Failure):
            wire.close()
        elif self._cancel.is_set():
            raise typer.Exit(INTERRUPTED)
        else:
            why = f"Ray's dashboard is not there: {wire.message}"
            failed(self._host, Problem(why, wire.fix or self._dashboard.absent, wire.detail))

    def connect(self, cancel: Event) -> Wire | Failure:
        """For the browser. A connection that was lost is opened again by this, and only this shows that all is well."""
        self._asked.set()
        wire = self._connect(cancel)
        self._tell(wire if isinstance(wire, Failure) else None)
        return replace(wire, fix=shown(wire.fix, [self._host])) if isinstance(wire, Failure) else wire

    def _connect(self, cancel: Event) -> Wire | Failure:
        return self._transport.connect(self._dashboard.host, self._dashboard.port, cancel=cancel)

    def keep(self) -> None:
        """Has a command on the head that only stays there: it ends when the connection is lost."""
        while not self._cancel.is_set():
            ended = self._transport.stream(stay(), lambda _: None, timeout=math.inf, cancel=self._cancel)
            if isinstance(ended, Failure):
                self._tell(ended)
            self._await_request()

    def _await_request(self) -> None:
        self._asked.clear()
        while not (self._asked.wait(LOOK) or self._cancel.is_set()):
            pass

    def _tell(self, failure: Failure | None) -> None:
        trouble = failure.message if failure else ""
        if self._cancel.is_set() or trouble == self._trouble:
            return
        self._trouble = trouble
        if failure:
            notice().print(f"✗ {self._host}  {trouble}; the next request tries again", style="red")
        else:
            notice().print(f"the dashboard on {self._host} answers again")
