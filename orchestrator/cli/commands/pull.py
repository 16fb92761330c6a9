"""`raycluster pull`: the image on every host, and the proof that it is the same one."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.output.typed import limited, shown
from orchestrator.cli.run import inventory_file
from orchestrator.plan.typed import ours

if TYPE_CHECKING:
    from orchestrator.model.cluster import Cluster, Node

BUILT = {
    "each": f"Each host has built its own; {ours('check')} tells whether pip chose the same Ray.",
    "head": f"{ours('up')} gives it to the hosts that lack it; {ours('image copy')} does no more than that.",
}
UNLIKE = (
    "pull again, if its tag has just been moved; "
    f"a digest in the inventory (`image: name@sha256:…`) cannot move; {ours('image copy')} brings one host's to all"
)


def pull(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="Pull on one host, the head if selected; the others get it from there."),
    ] = False,
    output: options.ActOutput = "text",
    jobs: options.Jobs = options.JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Pull the image on all hosts and verify that it is the same.

    Containers that run keep their image: `up` or `restart` replaces them. Hosts with `docker: {pull: never}` are only
    inspected. With `--once`, and with `get_on: head`, one host pulls, and the others get the image from host to host.
    With `ray.install` the image with Ray is built, too: with `get_on: head` on the head, whose image `up` copies.
    """
    from orchestrator.cli.output.console import answer, notice
    from orchestrator.cli.run.image_operation import conclude, execute
    from orchestrator.model.cluster import GetOn
    from orchestrator.plan import docker
    from orchestrator.plan.actions.images import plan_pull
    from orchestrator.plan.facts.derived_image import from_head

    pace = options.RunOptions(jobs, verbose, output == "jsonl")
    cluster = inventory_file.load(inventory, file)
    installed = cluster.ray.install
    selected = inventory_file.selected(cluster, limit)
    if once:
        raise typer.Exit(_once(cluster, selected, pace, ("--once", *limited(limit))))
    nodes = tuple(node for node in selected if not from_head(cluster, node))
    if not nodes:
        inventory_file.refuse(
            shown(
                f"with `get_on: head`, {cluster.head.name} alone pulls; {ours('up')} gives its image to the others"
            )
        )
    if not installed and cluster.get_on is GetOn.HEAD:
        raise typer.Exit(_once(cluster, selected, pace, limited(limit)))
    copies = execute(
        "pull", cluster, nodes, cluster.image, lambda holdings, *_: plan_pull(cluster, nodes, holdings), pace
    )
    new = f"new on {', '.join(copies.new)}" if copies.new else "nothing new"
    code = conclude(copies, f"{new}, {copies.done.seconds:.1f} s", UNLIKE, limited(limit))
    if code or pace.events:
        raise typer.Exit(code)
    if installed:
        answer().print(f"and {docker.image(cluster)}, built from it with {installed}")
        notice().print(shown(BUILT[cluster.get_on]))
    if copies.new:
        notice().print(shown(f"Containers that run keep their image; {ours('up')} replaces them."))


def _once(
    cluster: "Cluster", nodes: "tuple[Node, ...]", pace: options.RunOptions, again: tuple[str, ...]
) -> int:
    """Pulls on the first of them, and copies to the others what they lack; the exit code."""
    from orchestrator.cli.run.image_operation import conclude, execute
    from orchestrator.plan.actions.images import lacking, plan_copy, plan_pull
    from orchestrator.plan.docker import image

    name, source = cluster.image, nodes[:1]
    if "@" in name:
        inventory_file.refuse(
            f"{name} is named by its digest, which a copy does not carry: pull without --once"
        )
    if image(cluster) != name:
        inventory_file.refuse(
            "with `ray.install`, `get_on: head` does this: the head pulls and builds, and gives it to the others"
        )
    pulled = execute(
        "pull", cluster, source, name, lambda holdings, *_: plan_pull(cluster, source, holdings), pace
    )
    if pulled.done.exit_code:
        return conclude(pulled, "", UNLIKE, again)
    planner, getting = partial(plan_copy, name, source, nodes), partial(lacking, source, nodes)
    copies = execute("pull", cluster, nodes, name, planner, pace, getting)
    copied = ", ".join(change.host for change in copies.done.plan.changes)
    how = f"pulled on {source[0].name}, copied to {copied or 'nobody'}, {copies.done.seconds:.1f} s"
    return conclude(copies, how, UNLIKE, again)
