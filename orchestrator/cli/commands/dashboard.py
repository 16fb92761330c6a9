"""`raycluster dashboard`: Ray's dashboard in the browser, through a tunnel over SSH."""

import os
from threading import Event
from typing import Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.run import inventory_file


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
    from orchestrator.cli.output.console import answer, failed, notice
    from orchestrator.cli.run.session import look
    from orchestrator.cli.run.signals import stopped_by_signals
    from orchestrator.cli.run.tunnel_monitor import TunnelMonitor
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.problem import Problem
    from orchestrator.plan.status import services
    from orchestrator.remote.fleet import Fleet, connect_to
    from orchestrator.remote.tunnel.token_login import LoginLink
    from orchestrator.remote.tunnel.tunnel import Tunnel, listen

    cluster = inventory_file.load_with_ray(inventory, file)
    head = cluster.head
    try:
        listener = listen(port or 0)
    except OSError as error:
        inventory_file.refuse(f"--port: 127.0.0.1:{port or 0} cannot be had: {error.strerror}")
    with listener:
        facts = look(cluster, "dashboard", Depth.RAY, options.RunOptions(1, 0), (head,))
        found = services.dashboard(cluster, facts[head.name])
        if isinstance(found, Problem):
            failed(head.name, found)
        cancel, login = Event(), LoginLink(found.token)
        link = f"http://127.0.0.1:{listener.getsockname()[1]}{login.path}"
        with Fleet(cluster, connect_to, jobs=1) as fleet, stopped_by_signals(cancel, "closing the tunnel"):
            monitor = TunnelMonitor(head.name, fleet[head.name], found, cancel)
            monitor.begin()
            with Tunnel(listener, monitor.connect, login):
                notice().print(f"Ray's dashboard of cluster {cluster.name}, until Ctrl-C:")
                answer().print(link)
                if not (no_open or _opened(link)):
                    notice().print("no browser was found here: open the link yourself")
                monitor.keep()
        notice().print("the tunnel is closed")


def _opened(link: str) -> bool:
    """Whether a browser has it. One that is found in this terminal would be of no use, and in the way."""
    import webbrowser

    try:
        in_terminal = type(webbrowser.get()) is webbrowser.GenericBrowser and "BROWSER" not in os.environ
    except webbrowser.Error:
        return False
    return not in_terminal and webbrowser.open(link)
