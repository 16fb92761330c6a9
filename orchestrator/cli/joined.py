"""What `up` says at the end: who is in the cluster, and what a person does next."""

import shlex

from rich.text import Text

from orchestrator.cli.acting import Done
from orchestrator.cli.screen import answer, notice
from orchestrator.model.cluster import Cluster
from orchestrator.plan import engine
from orchestrator.plan.engine import Roster
from orchestrator.plan.settle import addresses


def show_joined(cluster: Cluster, done: Done, path: str | None) -> None:
    """Prints the hosts that are in the cluster, then how to serve on them."""
    state, told = joined(cluster, done)
    answer().print(Text.assemble((state, "bold green"), told))
    roster = _roster(cluster, done)
    for ip in roster.strangers:
        notice().print(f"Ray also lists a node at {ip} that is not in the inventory", style="yellow")
    if done.plan.phases:
        _show_next(cluster, done, roster, path)


def joined(cluster: Cluster, done: Done) -> tuple[str, str]:
    """That the cluster is up, and who is in it."""
    roster = _roster(cluster, done)
    there, total = len(roster.gpus), len(cluster.nodes)
    state = ("is up" if there == total else "is up in part") + (
        "" if done.plan.phases else " already, nothing to do"
    )
    count = f"all {there} hosts" if there == total else f"{there} of {total} hosts"
    gpus = [each for each in roster.gpus.values() if each is not None]
    told = f"{roster.says} {count}{f', {sum(gpus)} GPUs' if gpus else ''}"
    return f"cluster {cluster.name} {state}", f": {told} ({done.seconds:.1f} s)"


def _roster(cluster: Cluster, done: Done) -> Roster:
    started = frozenset(change.host for change in done.plan.changes)
    return engine.of(cluster).roster(cluster, done.facts, done.report.watched, started)


def _show_next(cluster: Cluster, done: Done, roster: Roster, path: str | None) -> None:
    width, ips = max(len(name) for name in roster.gpus), addresses(cluster, done.facts)
    for name, gpus in roster.gpus.items():
        count, head = "" if gpus is None else f"  {gpus} GPUs", "  head" if name == cluster.head.name else ""
        answer().print(f"  {name:<{width}}  {ips[name]}{count}{head}")
    file = f" {shlex.quote(path)}" if path else ""
    model, words = (cluster.serve.name, "") if cluster.serve else ("a model", " MODEL")
    answer().print(f"\nServe {model} on it:")
    answer().print(Text(f"  raycluster serve{f' -i{file}' if file else ''}{words}", "cyan"))
    answer().print(f"Look at it: raycluster status{file}    Take it down: raycluster down{file}")
