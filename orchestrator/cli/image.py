"""`raycluster image copy`: one host's image to the others, for hosts that no registry serves."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import inventory as files
from orchestrator.cli import options
from orchestrator.cli.options import JOBS

if TYPE_CHECKING:
    from orchestrator.cli.acting import Done
    from orchestrator.model.cluster import Cluster, Node

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Bring an image to hosts that no registry serves."
)


@app.callback()
def root() -> None:
    """Bring an image to hosts that no registry serves."""


@app.command()
def copy(
    image: Annotated[
        str | None,
        typer.Argument(metavar="IMAGE", help="Default: the inventory's.", show_default=False),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="HOST", help="Default: the first host that has it.", show_default=False
        ),
    ] = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    verbose: options.Verbose = 0,
) -> None:
    """Copy an image from one host to those that lack it.

    `docker save` there, through this machine, `docker load` on the others, side by side and at the pace of the
    slowest. A host that has this very image already is skipped. In the end all are asked what they have.
    """
    from orchestrator.cli.images import carry_out
    from orchestrator.plan import docker
    from orchestrator.plan.image_copy import plan_copy

    cluster = files.load(None, file)
    name = _checked(image) if image else docker.image(cluster)
    if "@" in name:
        files.refuse(f"{name} is named by its digest, which a copy does not carry: name it by a tag")
    only = files.only(cluster, limit)
    targets = tuple(node for node in cluster.nodes if only is None or node.name in only)
    candidates = (_node(cluster, source),) if source else cluster.nodes
    planner = partial(plan_copy, name, candidates, targets)
    asked = tuple(dict.fromkeys((*candidates, *targets)))
    done, _ = carry_out("image-copy", cluster, asked, name, planner, options.Pace(JOBS, verbose))
    raise typer.Exit(_conclude(cluster, name, done))


def _checked(image: str) -> str:
    from orchestrator.model import reference

    try:
        return reference.image(image)
    except ValueError as why:
        files.refuse(f"IMAGE {why}")


def _node(cluster: "Cluster", name: str) -> "Node":
    found = files.only(cluster, name, "--from: ") or ()
    if len(found) > 1:
        files.refuse(f"--from: one host, not {len(found)}")
    return next(node for node in cluster.nodes if node.name in found)


def _conclude(cluster: "Cluster", name: str, done: "Done") -> int:
    """Says who has it now; the exit code."""
    from orchestrator.cli.failures import show_failures
    from orchestrator.cli.images import held, show_unlike, whose
    from orchestrator.cli.screen import answer, plural
    from orchestrator.plan.held import alike

    if done.exit_code:
        why = "interrupted" if done.interrupted else f"{plural(len(done.failed), 'host')} failed"
        what_now = "Once this is mended, `raycluster image copy` copies it to those that lack it."
        show_failures(f"{name} is not known to be on all hosts: {why}", done, what_now)
        return done.exit_code
    if not done.plan.phases:
        answer().print(f"{name} is the same on all hosts already, nothing to do")
        return 0
    found = held(done.report)
    there = {host: image for host, image in found.items() if image}
    if len(there) < len(found) or len(alike(there)) > 1:
        show_unlike(
            name, found, "copy it again: somebody has changed it meanwhile, or it was not taken whole"
        )
        return 1
    copied = ", ".join(change.host for change in done.plan.changes)
    told = f"copied to {copied} in {done.seconds:.1f} s"
    answer().print(f"{whose(cluster, there)} {name}, {next(iter(there.values())).name} ({told})")
    return 0
