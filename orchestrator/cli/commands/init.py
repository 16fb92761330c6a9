"""`raycluster init`: looks at hosts, and writes an inventory of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from orchestrator.cli import options
from orchestrator.cli.options import JOBS
from orchestrator.cli.run import inventory_file
from orchestrator.cli.run.inventory_file import DEFAULT

if TYPE_CHECKING:
    from orchestrator.model.cluster import Cluster
    from orchestrator.model.ssh_target import Target

T = TypeVar("T")

IMAGE = "vllm/vllm-openai:v0.17.1"
CLUSTER = "demo"
HOW = "The machines as you log in to them by SSH, the head first: gpu1 me@gpu[2-4]:2222"

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
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Replace a file that is there without asking.")]


def init(
    hosts: Hosts = None,
    file: File = DEFAULT,
    image: Image = None,
    yes: Yes = False,
    jobs: options.Jobs = JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Look at the machines, and write an inventory of them.

    Asks for them where none is named. Finds the addresses at which they reach each other, their GPUs, and how
    Docker answers; unknown host keys are shown and recorded after a yes, as `trust` does. Changes nothing on the
    machines. Should one of them not answer, nothing is written.
    """
    from orchestrator.cli.commands.init_draft import drafted, keep, make_way, report

    given = _given(hosts or [])
    make_way(file, yes=yes)
    targets = given or _asked_for()
    name = CLUSTER if hosts else _ask("Name of the cluster", CLUSTER, _cluster_name)
    image = _option(image or IMAGE) if hosts or image else _ask("Docker image", IMAGE, _image)
    draft = drafted(_provisional(targets, name, image), targets, options.RunOptions(jobs, verbose))
    keep(draft, file)
    report(draft, file)


def _given(words: list[str]) -> "tuple[Target, ...]":
    from orchestrator.model.ssh_target import parse_all

    try:
        return parse_all(words) if words else ()
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong), param_hint="HOST") from None


def _option(image: str) -> str:
    try:
        return _image(image)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong), param_hint="--image") from None


def _asked_for() -> "tuple[Target, ...]":
    """The machines that a person names; asked again until they make sense."""
    from orchestrator.cli.output.console import notice
    from orchestrator.cli.run.prompt import somebody_there
    from orchestrator.model.ssh_target import parse_all

    if not somebody_there():
        inventory_file.refuse(
            "no machine is named: raycluster init gpu1 gpu2 gpu3, the head first. Nothing was done."
        )
    notice().print(HOW)
    return _ask("Machines", "", lambda answer: parse_all(answer.replace(",", " ").split()))


def _ask(question: str, default: str, check: Callable[[str], T]) -> T:
    """What a person answers, once `check` takes it; Enter alone is the default, no answer at all exit code 1."""
    from orchestrator.cli.output.console import notice
    from orchestrator.cli.run.prompt import reply

    while (answer := reply(f"{question}{f' [{default}]' if default else ''}: ")) is not None:
        try:
            return check(answer or default)
        except ValueError as wrong:
            notice().print(str(wrong), style="yellow")
    notice().print("nothing was done")
    raise typer.Exit(1)


def _cluster_name(written: str) -> str:
    from orchestrator.model.inventory.values import cluster_name

    return cluster_name(written)


def _image(written: str) -> str:
    from orchestrator.model.inventory.values import image

    return image(written)


def _provisional(targets: "tuple[Target, ...]", name: str, image: str) -> "Cluster":
    """A cluster of machines whose addresses are not known yet: enough to look at them."""
    from orchestrator.model.cluster import Cluster, Node, Role, Ssh
    from orchestrator.model.ssh_target import names

    head, *workers = (
        Node(called, target.host, Role.WORKER, None, ssh=Ssh(target.user, target.port))
        for called, target in zip(names(targets), targets, strict=True)
    )
    return Cluster(name, image, replace(head, role=Role.HEAD), tuple(workers))
