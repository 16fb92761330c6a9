"""`raycluster dashboard`: Ray's dashboard in the browser, through a tunnel over SSH."""

import os
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.run import inventory_file
from orchestrator.plan.problem import Problem

if TYPE_CHECKING:
    from orchestrator.model.cluster import Cluster
    from orchestrator.plan.status.services import Dashboard
    from orchestrator.remote.tunnel.tunnel import Listener


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

    A tunnel leads from 127.0.0.1 to the dashboard on the head, until Ctrl-C: then the exit code is 0. Where Ray
    asks for a token, the link lets in the first browser that follows it, and nobody after that.
    """
    from orchestrator.remote.tunnel.tunnel import listen

    cluster = inventory_file.load_with_ray(inventory, file)
    try:
        listener = listen(port or 0)
    except OSError as error:
        inventory_file.refuse(f"--port: 127.0.0.1:{port or 0} cannot be had: {error.strerror}")
    with listener:
        _pass_through(cluster, _find(cluster), listener, browse=not no_open)


def _find(cluster: "Cluster") -> "Dashboard":
    """Where it is; exit code 1 where it cannot be."""
    from orchestrator.cli.output.console import failed
    from orchestrator.cli.run.session import session
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.status import services

    with session(cluster, "dashboard", options.RunOptions(1, 0), logged=False) as run:
        facts = run.observe((cluster.head,), Depth.RAY)
    run.stop_if_interrupted()
    found = services.dashboard(cluster, facts[cluster.head.name])
    if isinstance(found, Problem):
        failed(cluster.head.name, found)
    return found


def _pass_through(cluster: "Cluster", dashboard: "Dashboard", listener: "Listener", *, browse: bool) -> None:
    """Keeps the tunnel open until Ctrl-C."""
    from orchestrator.cli.output.console import notice
    from orchestrator.cli.run.signals import stopped_by_signals
    from orchestrator.cli.run.tunnel_monitor import TunnelMonitor
    from orchestrator.remote.fleet import Fleet, connect_to
    from orchestrator.remote.tunnel.token_login import LoginLink
    from orchestrator.remote.tunnel.tunnel import Tunnel

    cancel, door = Event(), LoginLink(dashboard.token)
    link = f"http://127.0.0.1:{listener.getsockname()[1]}{door.path}"
    with Fleet(cluster, connect_to, jobs=1) as fleet, stopped_by_signals(cancel, "closing the tunnel"):
        vigil = TunnelMonitor(cluster.head.name, fleet[cluster.head.name], dashboard, cancel)
        vigil.begin()
        with Tunnel(listener, vigil.connect, door):
            _invite(cluster, link, browse=browse)
            vigil.keep()
    notice().print("the tunnel is closed")


def _invite(cluster: "Cluster", link: str, *, browse: bool) -> None:
    from orchestrator.cli.output.console import answer, notice

    notice().print(f"Ray's dashboard of cluster {cluster.name}, until Ctrl-C:")
    answer().print(link)
    if browse and not _opened(link):
        notice().print("no browser was found here: open the link yourself")


def _opened(link: str) -> bool:
    """Whether a browser has it. One that is found in this terminal would be of no use, and in the way."""
    import webbrowser

    try:
        in_terminal = type(webbrowser.get()) is webbrowser.GenericBrowser and "BROWSER" not in os.environ
    except webbrowser.Error:
        return False
    return not in_terminal and webbrowser.open(link)
