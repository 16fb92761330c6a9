"""What `up` says at the end: who is in the cluster, and what a person does next."""

import shlex

from rich.text import Text

from orchestrator.cli.acting import Done
from orchestrator.cli.health import gpus_in_all
from orchestrator.cli.screen import answer, notice, plural
from orchestrator.model.cluster import Cluster
from orchestrator.plan import engine
from orchestrator.plan.engine import Roster
from orchestrator.plan.facts import HostFacts
from orchestrator.plan.settle import addresses


def show_joined(cluster: Cluster, done: Done, path: str | None) -> None:
    """Prints the hosts that are in the cluster, then how to serve on them."""
    state, told = joined(cluster, done)
    answer().print(Text.assemble((state, "bold green"), told))
    _show_model(cluster, done)
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
    told = f"{roster.says} {count}{gpus_in_all(roster.gpus.values())}"
    return f"cluster {cluster.name} {state}", f": {told} ({done.seconds:.1f} s)"


def _roster(cluster: Cluster, done: Done) -> Roster:
    return engine.of(cluster).roster(cluster, done.facts, done.report.watched, _started(done))


def _show_model(cluster: Cluster, done: Done) -> None:
    """What a head that stood keeps serving, and that it comes back by itself where it did not answer before."""
    here = done.facts.get(cluster.head.name)
    served = here.served if isinstance(here, HostFacts) else None
    if served and served.kept and not served.answers and cluster.head.name not in _started(done):
        answer().print(f"model {served.model.name} is started again by itself: raycluster serve status")


def _started(done: Done) -> frozenset[str]:
    return frozenset(change.host for change in done.plan.changes)


def _show_next(cluster: Cluster, done: Done, roster: Roster, path: str | None) -> None:
    width, ips = max(len(name) for name in roster.gpus), addresses(cluster, done.facts)
    for name, gpus in roster.gpus.items():
        count = "" if gpus is None else f"  {plural(gpus, 'GPU')}"
        answer().print(
            f"  {name:<{width}}  {ips[name]}{count}{'  head' if name == cluster.head.name else ''}"
        )
    file = f" {shlex.quote(path)}" if path else ""
    model, words = (cluster.serve.name, "") if cluster.serve else ("a model", " MODEL")
    answer().print(f"\nServe {model} on it:")
    answer().print(Text(f"  raycluster serve{f' -i{file}' if file else ''}{words}", "cyan"))
    answer().print(f"Look at it: raycluster status{file}    Take it down: raycluster down{file}")
