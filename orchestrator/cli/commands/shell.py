"""`raycluster shell`: a shell in a node's container, on one's own terminal."""

import os
from typing import Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.run import inventory_file

Host = Annotated[
    str | None,
    typer.Argument(
        metavar="HOST",
        autocompletion=options.complete_hosts,
        help="The host: a name, or a glob that matches one. Default: the head.",
    ),
]


def shell(
    host: Host = None,
    file: options.OnlyInventory = None,
    limit: options.Limit = None,
    on_host: options.OnHost = False,
) -> None:
    """Open a shell in a container.

    The terminal goes to your `ssh`, and its escapes work (~. ends a connection that hangs). bash where the image
    has it, else sh. The exit code is the shell's; 125 where no container runs, 255 where SSH failed.
    """
    from orchestrator.cli.output.console import failed
    from orchestrator.cli.output.typed import line
    from orchestrator.plan.actions.adhoc import plan_shell
    from orchestrator.plan.command import Command
    from orchestrator.plan.problem import Problem
    from orchestrator.remote.execute.adhoc import become

    if not (os.isatty(0) and os.isatty(1)):
        named = ("-i", file) if file else ()
        meant = Command(
            ("raycluster", "exec", *named, "-l", host or limit or "head", "--", "COMMAND")
        ).shown()
        inventory_file.refuse(f"a shell needs a terminal; to run a command without one: {meant}")
    cluster = inventory_file.load(None, file)
    if host and limit:
        inventory_file.refuse("HOST and -l both name the host: give one of them")
    node = inventory_file.one(cluster, host or limit or "head", "HOST" if host else "--limit")
    command = plan_shell(cluster, node, line("up"), on_host=on_host)
    try:
        become(command)
    except OSError as error:
        why = f"{command.argv[0]}: {error.strerror}"
        failed(node.name, Problem(why, "install the OpenSSH client on this machine"))
