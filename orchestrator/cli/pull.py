"""`raycluster pull`: the image on every host, and the proof that it is the same one."""

from functools import partial
from typing import TYPE_CHECKING

import typer

from orchestrator.cli import inventory as files
from orchestrator.cli import options
from orchestrator.cli.options import JOBS

if TYPE_CHECKING:
    from orchestrator.cli.acting import Done
    from orchestrator.cli.images import Holdings
    from orchestrator.model.cluster import Cluster
    from orchestrator.plan.held import Held, Holding

PIN = (
    "pull again, should its tag just have been moved; "
    "a digest in the inventory (`image: name@sha256:…`) cannot be; `raycluster image copy` brings one host's to all"
)


def pull(
    inventory: options.Inventory = None,
    file: options.InventoryOption = None,
    limit: options.Limit = None,
    jobs: options.Jobs = JOBS,
    verbose: options.Verbose = 0,
) -> None:
    """Pull the image on all hosts, and see that it is the same one.

    It touches nothing that runs: `up` or `restart` puts a new image to use. Hosts with `docker: {pull: never}`
    are only looked at. With `ray.install` the image that has Ray is built on each host, too.
    """
    from orchestrator.cli.images import carry_out
    from orchestrator.plan.pull import plan_pull

    cluster = files.load(inventory, file)
    only = files.only(cluster, limit)
    nodes = tuple(node for node in cluster.nodes if only is None or node.name in only)
    planner = partial(plan_pull, cluster, nodes)
    done, before = carry_out("pull", cluster, nodes, cluster.image, planner, options.Pace(jobs, verbose))
    raise typer.Exit(_conclude(cluster, done, before))


def _conclude(cluster: "Cluster", done: "Done", before: "Holdings") -> int:
    """Says what the hosts have; the exit code."""
    from orchestrator.cli.failures import show_failures
    from orchestrator.cli.images import held, show_unlike
    from orchestrator.cli.screen import plural
    from orchestrator.plan.held import alike

    if done.exit_code:
        why = "interrupted" if done.interrupted else f"{plural(len(done.failed), 'host')} failed"
        headline = f"{cluster.image} is not known to be the same on all hosts: {why}"
        show_failures(headline, done, "Once this is mended, `raycluster pull` gets what is missing.")
        return done.exit_code
    found = held(done.report)
    there = {host: image for host, image in found.items() if image}
    if len(there) < len(found) or len(alike(there)) > 1:
        show_unlike(cluster.image, found, PIN)
        return 1
    _show_same(cluster, there, before, done.seconds)
    return 0


def _had(before: "Holding", now: "Held") -> bool:
    from orchestrator.plan.held import Held

    return isinstance(before, Held) and before.id == now.id


def _show_same(cluster: "Cluster", there: "dict[str, Held]", before: "Holdings", seconds: float) -> None:
    from orchestrator.cli.images import whose
    from orchestrator.cli.screen import answer, notice
    from orchestrator.plan import docker

    image = next(iter(there.values()))
    new = [host for host, each in there.items() if not _had(before[host], each)]
    told = f"new on {', '.join(new)}; " if new else "nothing new; "
    answer().print(f"{whose(cluster, there)} {cluster.image}, {image.name} ({told}{seconds:.1f} s)")
    if cluster.ray.install:
        recipe = f"built from it with {cluster.ray.install}"
        answer().print(f"and {docker.image(cluster)}, {recipe}")
        notice().print(
            "Each host has built its own; whether pip chose the same Ray, `raycluster check` tells."
        )
    if new:
        notice().print("What runs keeps its image; `raycluster up` puts this one to use.")
