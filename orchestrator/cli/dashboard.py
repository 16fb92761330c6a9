"""`raycluster dashboard`: Ray's dashboard in the browser, through a tunnel over SSH."""

import math
import os
import webbrowser
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import inventory as files
from orchestrator.cli import options

if TYPE_CHECKING:
    from orchestrator.model.cluster import Cluster
    from orchestrator.plan.services import Dashboard
    from orchestrator.remote.transport import Failure, Transport, Wire
    from orchestrator.remote.tunnel import Listener

LOOK = 0.5  # seconds


def dashboard(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, metavar="N", help="The local port, else any free one.", show_default=False
        ),
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Print the link only, and start no browser.")
    ] = False,
) -> None:
    """Open Ray's dashboard in the browser, through SSH.

    A tunnel from 127.0.0.1 to the dashboard on the head, until Ctrl-C, which is exit code 0. Where Ray asks for a
    token, the link lets in the first browser that follows it, and nobody after that.
    """
    from orchestrator.remote.tunnel import listen

    cluster = files.load(inventory, file)
    try:
        listener = listen(port or 0)
    except OSError as error:
        files.refuse(f"--port: 127.0.0.1:{port} cannot be had: {error.strerror}")
    with listener:
        _pass_through(cluster, _find(cluster), listener, browse=not no_open)


def _find(cluster: "Cluster") -> "Dashboard":
    """Where it is; exit code 1 where it cannot be."""
    from orchestrator.cli.interrupt import INTERRUPTED
    from orchestrator.cli.screen import failed
    from orchestrator.cli.session import session
    from orchestrator.plan import services
    from orchestrator.plan.steps import Remark

    with session(cluster, "dashboard", options.Pace(1, 0), logged=False) as run:
        facts = run.observe((cluster.head,))
    if run.cancel.is_set():
        raise typer.Exit(INTERRUPTED)
    found = services.dashboard(cluster, facts[cluster.head.name])
    if isinstance(found, Remark):
        failed(found.host, found.why, found.fix)
    return found


def _pass_through(cluster: "Cluster", dashboard: "Dashboard", listener: "Listener", *, browse: bool) -> None:
    """Keeps the tunnel open until Ctrl-C."""
    from orchestrator.cli.interrupt import stopped_by_signals
    from orchestrator.cli.screen import notice
    from orchestrator.remote.door import Door
    from orchestrator.remote.fleet import Fleet
    from orchestrator.remote.reach import transport
    from orchestrator.remote.tunnel import Tunnel

    cancel, door = Event(), Door(dashboard.token)
    with Fleet(cluster, transport, jobs=1) as fleet, stopped_by_signals(cancel, "closing the tunnel"):
        head = _Head(cluster.head.name, fleet[cluster.head.name], dashboard, cancel)
        head.look()
        with Tunnel(listener, head.connect, door):
            _invite(cluster, f"http://127.0.0.1:{listener.getsockname()[1]}{door.path}", browse=browse)
            head.stay()
    notice().print("the tunnel is closed")


def _invite(cluster: "Cluster", link: str, *, browse: bool) -> None:
    from orchestrator.cli.screen import answer, notice

    notice().print(f"Ray's dashboard of cluster {cluster.name}, until Ctrl-C:")
    answer().print(link)
    if browse and not _opened(link):
        notice().print("no browser was found here: open the link yourself")


def _opened(link: str) -> bool:
    """Whether a browser has it. One that is found in this terminal would be of no use, and in the way."""
    try:
        in_terminal = type(webbrowser.get()) is webbrowser.GenericBrowser and "BROWSER" not in os.environ
    except webbrowser.Error:
        return False
    return not in_terminal and webbrowser.open(link)


class _Head:
    """The head, where the dashboard is. What goes wrong on the way to it is told once, and when it is over."""

    def __init__(self, name: str, transport: "Transport", dashboard: "Dashboard", cancel: Event) -> None:
        self._name, self._transport, self._dashboard, self._cancel = name, transport, dashboard, cancel
        self._asked = Event()
        self._trouble = ""

    def look(self) -> None:
        """Whether anything is where the dashboard should be; exit code 1 if not."""
        from orchestrator.cli.interrupt import INTERRUPTED
        from orchestrator.cli.screen import failed
        from orchestrator.remote.transport import Failure

        wire = self._connect(self._cancel)
        if self._cancel.is_set():
            raise typer.Exit(INTERRUPTED)
        if isinstance(wire, Failure):
            failed(
                self._name,
                f"Ray's dashboard is not there: {wire.message}",
                wire.fix or self._dashboard.absent,
            )
        wire.close()

    def connect(self, cancel: Event) -> "Wire | Failure":
        """For the browser; also what makes a lost connection be opened again."""
        from orchestrator.remote.transport import Failure

        self._asked.set()
        wire = self._connect(cancel)
        self._tell(wire if isinstance(wire, Failure) else None)
        return wire

    def _connect(self, cancel: Event) -> "Wire | Failure":
        return self._transport.connect(self._dashboard.host, self._dashboard.port, cancel=cancel)

    def stay(self) -> None:
        """Until Ctrl-C. A command that does nothing there ends when the connection is lost."""
        from orchestrator.plan.host import stay
        from orchestrator.remote.transport import Failure

        while not self._cancel.is_set():
            ended = self._transport.stream(stay(), self._hear, timeout=math.inf, cancel=self._cancel)
            if isinstance(ended, Failure):
                self._tell(ended)
            self._asked.clear()
            while not (self._asked.wait(LOOK) or self._cancel.is_set()):
                pass

    def _hear(self, said: str) -> None:
        if said:
            self._tell(None)

    def _tell(self, failure: "Failure | None") -> None:
        from orchestrator.cli.screen import notice

        trouble = failure.message if failure else ""
        if self._cancel.is_set() or trouble == self._trouble:
            return
        self._trouble = trouble
        if failure:
            notice().print(f"✗ {self._name}  {trouble}; the browser's next request tries again", style="red")
        else:
            notice().print(f"{self._name} answers again")
