"""`raycluster pull`: the image on every host, and the proof that it is the same one."""

from functools import partial
from typing import TYPE_CHECKING

import typer

from orchestrator.cli import options
from orchestrator.cli.options import JOBS, ActForm
from orchestrator.cli.run import inventory_file

if TYPE_CHECKING:
    from orchestrator.cli.run.image_operation import Copies, Holdings
    from orchestrator.model.cluster import Cluster, Node

BUILT = {
    "each": "Each host has built its own; whether pip chose the same Ray, `raycluster check` tells.",
    "head": "`raycluster up` gives it to the hosts that lack it; `raycluster image copy` does no more than that.",
}
UNLIKE = (
    "pull again, should its tag just have been moved; "
    "a digest in the inventory (`image: name@sha256:…`) cannot be; `raycluster image copy` brings one host's to all"
)


def pull(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    output: options.ActOutput = ActForm.TEXT,
    jobs: options.Jobs = JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Pull the image on all hosts, and see that it is the same one.

    It touches nothing that runs: `up` or `restart` puts a new image to use. Hosts with `docker: {pull: never}`
    are only looked at. With `ray.install` the image that has Ray is built there, too; where `build_on` is head,
    on the head alone: `up` brings it to the others.
    """
    from orchestrator.cli.run.image_operation import Copies, conclude, execute
    from orchestrator.plan.actions.image_plans import plan_pull

    pace = options.RunOptions(jobs, verbose, output is ActForm.JSONL)
    cluster = inventory_file.load(inventory, file)
    nodes = _pulling(cluster, inventory_file.selected(cluster, limit))
    planner = partial(plan_pull, cluster, nodes)
    done, before = execute("pull", cluster, nodes, cluster.image, planner, pace)
    copies = Copies("pull", cluster, cluster.image, done)
    code = conclude(copies, _told(copies, before), UNLIKE, events=pace.events)
    if code == 0 and not pace.events:
        _show_more(copies, before)
    raise typer.Exit(code)


def _pulling(cluster: "Cluster", nodes: "tuple[Node, ...]") -> "tuple[Node, ...]":
    """Those of the nodes that need the image itself, and not only what the head builds from it."""
    from orchestrator.plan.actions.images import builds

    pulling = tuple(node for node in nodes if builds(cluster, node) or not cluster.ray.install)
    if not pulling:
        inventory_file.refuse(
            f"with `build_on: head`, {cluster.head.name} alone pulls; `raycluster up` gives its image to the others"
        )
    return pulling


def _told(copies: "Copies", before: "Holdings") -> str:
    new = ", ".join(_new(copies, before))
    return f"{f'new on {new}' if new else 'nothing new'}, {copies.done.seconds:.1f} s"


def _new(copies: "Copies", before: "Holdings") -> list[str]:
    """The hosts that had none before, or another."""
    from orchestrator.plan.facts.image import ImageInfo

    was = {host: image.id for host, image in before.items() if isinstance(image, ImageInfo)}
    return [host for host, image in copies.there.items() if image.id != was.get(host)]


def _show_more(copies: "Copies", before: "Holdings") -> None:
    """About what is built from it, and what runs."""
    from orchestrator.cli.output.console import answer, notice
    from orchestrator.plan import docker

    cluster = copies.cluster
    if cluster.ray.install:
        answer().print(f"and {docker.image(cluster)}, built from it with {cluster.ray.install}")
        notice().print(BUILT[cluster.build_on])
    if _new(copies, before):
        notice().print("What runs keeps its image; `raycluster up` puts this one to use.")
