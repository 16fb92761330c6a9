"""`raycluster image copy`: one host's image to the others, for hosts that no registry serves."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.lazy import LeanCommand, group
from orchestrator.cli.options import JOBS
from orchestrator.cli.output.typed import given, limited
from orchestrator.cli.run import inventory_file

if TYPE_CHECKING:
    from orchestrator.model.cluster import Cluster, Node

UNLIKE = "copy it again: somebody has changed it meanwhile"

app = group()


@app.callback()
def root() -> None:
    """Copy an image to hosts without a registry."""


@app.command(cls=LeanCommand)
def copy(
    image: Annotated[
        str | None,
        typer.Argument(metavar="IMAGE", help="Default: the inventory's.", show_default=False),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="HOST|laptop",
            autocompletion=options.complete_hosts,
            help="Default: the first host that has it.",
            show_default=False,
        ),
    ] = None,
    via: options.Via = None,
    file: options.OnlyInventory = None,
    limit: options.Limit = None,
    output: options.ActOutput = "text",
    verbose: options.Verbose = 0,
) -> None:
    """Copy an image from one host to those that lack it.

    `docker save` there, from host to host, `docker load` on each: all of them in the time of one copy. Hosts that do
    not reach each other get it through this machine. `--from laptop` is this machine's own Docker, which gives it to
    one host, and that to the others. A host that has this very image already is skipped. In the end all are asked
    what they have.
    """
    from orchestrator.cli.run.image_operation import conclude, execute
    from orchestrator.plan import docker
    from orchestrator.plan.actions.images import lacking, plan_copy

    pace = options.RunOptions(JOBS, verbose, output == "jsonl")
    cluster = inventory_file.load(None, file)
    name = _checked(image) if image else docker.image(cluster)
    if "@" in name:
        inventory_file.refuse(f"{name} is named by its digest, which a copy does not carry: name it by a tag")
    targets = inventory_file.selected(cluster, limit)
    candidates = (_node(cluster, source),) if source else cluster.nodes
    planner = partial(plan_copy, name, candidates, targets, via_laptop=via is not None)
    asked = tuple(dict.fromkeys((*candidates, *targets)))
    getting = None if via else partial(lacking, candidates, targets)
    copies = execute("image copy", cluster, asked, name, planner, pace, getting)
    copied = ", ".join(change.host for change in copies.done.plan.changes)
    words = (image,) if image else ()
    again = (*words, *given("--from", source), *given("--via", via), *limited(limit))
    how = f"copied to {copied} in {copies.done.seconds:.1f} s" if copied else "nothing to do"
    raise typer.Exit(conclude(copies, how, UNLIKE, again))


def _checked(image: str) -> str:
    from orchestrator.model.inventory import values

    try:
        return values.image(image)
    except ValueError as why:
        inventory_file.refuse(f"IMAGE: {why}")


def _node(cluster: "Cluster", name: str) -> "Node":
    """The host of that name; or the laptop, unless the inventory has a host called so."""
    if laptop := inventory_file.this_machine(cluster, name):
        return laptop
    found = inventory_file.only(cluster, name, "--from") or ()
    if len(found) > 1:
        inventory_file.refuse(f"--from: one host, not {len(found)}")
    return next(node for node in cluster.nodes if node.name in found)
