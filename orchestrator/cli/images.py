"""What `pull` and `image copy` share: look at the images, plan, carry it out, and compare what the hosts have then."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from rich.text import Text

from orchestrator.cli.acting import NOTHING, Done
from orchestrator.cli.options import Pace
from orchestrator.cli.screen import notice
from orchestrator.cli.session import session
from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan.held import Held, Holding, alike, parse
from orchestrator.plan.pull import SEE
from orchestrator.plan.steps import Plan
from orchestrator.remote.images import look
from orchestrator.remote.report import Planned, Report

Holdings = Mapping[str, Holding]


def carry_out(
    command: str,
    cluster: Cluster,
    nodes: tuple[Node, ...],
    name: str,
    planner: Callable[[Holdings], Plan],
    pace: Pace,
) -> tuple[Done, Holdings]:
    """Does it, and tells what the hosts had before. Without the lock: nothing that runs is touched."""
    began = time.monotonic()
    with session(cluster, command, pace, logged=True) as run:
        before = look(nodes, name, run.fleet, run.tell, run.cancel)
        plan = planner(before)
        run.tell(Planned(plan))
        report = run.execute(plan)
        interrupted, seconds = run.cancel.is_set(), time.monotonic() - began
    return Done({}, plan, report, NOTHING, interrupted, "", seconds, run.log, run.mask), before


def held(report: Report) -> dict[str, Held | None]:
    """What each host that told has under the name in the end."""
    told = (result for result in report.results if result.step.title == SEE and result.output)
    return {result.step.host: parse(result.output.stdout) for result in told if result.output}


def whose(cluster: Cluster, hosts: Collection[str]) -> str:
    """`all 3 hosts have`, `gpu2, gpu3 have`, `gpu2 has`."""
    if len(hosts) == len(cluster.nodes) > 1:
        return f"all {len(hosts)} hosts have"
    return f"{', '.join(hosts)} {'have' if len(hosts) > 1 else 'has'}"


def show_unlike(name: str, found: Mapping[str, Held | None], fix: str) -> None:
    """Says who has which image under that name, and who has none."""
    there = {host: image for host, image in found.items() if image}
    lacking = [host for host, image in found.items() if image is None]
    groups = alike(there)
    headline = f"{name} is not the same on all hosts" if len(groups) > 1 else f"{name} is not on all hosts"
    notice().print(Text(f"✗ {headline}", "bold red"))
    for group in groups:
        _show(group, there[group[0]].name)
    if lacking:
        _show(lacking, "has no such image" if len(lacking) == 1 else "have no such image")
    notice().print(Text(f"      → {fix}", "yellow"))


def _show(hosts: Sequence[str], what: str) -> None:
    notice().print(Text.assemble("  ", (", ".join(hosts), "bold"), f"  {what}"))
