"""`raycluster init`: looks at hosts, and writes an inventory of them."""

from typing import Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.run.inventory_file import DEFAULT
from orchestrator.plan.remedies import LAST_WITH_RAY as IMAGE

Hosts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="HOST",
        help="The machines as [user@]host[:port], the head first. gpu[1-3] stands for three, local for this one.",
        show_default=False,
    ),
]
File = Annotated[
    str,
    typer.Option(
        "-i",
        "--inventory",
        metavar="FILE",
        envvar="RAYCLUSTER_INVENTORY",
        help="The file to write; - is standard output.",
    ),
]
Image = Annotated[
    str | None,
    typer.Option("--image", metavar="IMAGE", help=f"The Docker image. Default: {IMAGE}.", show_default=False),
]
Name = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="The cluster's name. Default: demo.", show_default=False),
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Replace a file that is there without asking.")]


def init(
    hosts: Hosts = None,
    file: File = DEFAULT,
    image: Image = None,
    name: Name = None,
    yes: Yes = False,
    jobs: options.Jobs = options.JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Inspect machines over SSH and write an inventory of them.

    Asks for their names if none is given. Finds the addresses at which they reach each other, their GPUs, and
    whether Docker works; unknown host keys are shown and recorded after a yes, as by `trust`. Changes nothing on
    the machines. If one of them does not answer, nothing is written.
    """
    from orchestrator.cli.commands.init_draft import STDOUT, asked_for, drafted, given, keep, make_way, report
    from orchestrator.cli.output import typed
    from orchestrator.plan.typed import Caller

    typed.called(Caller("" if file in (DEFAULT, STDOUT) else file))
    targets = given(hosts or [])
    make_way(file, yes=yes)
    cluster, targets = asked_for(targets, image, IMAGE, name)
    given_too = (("--name", name), ("--image", image))
    again = tuple(word for option, value in given_too if value for word in (option, value))
    draft = drafted(cluster, targets, options.RunOptions(jobs, verbose), again)
    keep(draft, file)
    report(draft, file)
