"""What `up` and `restart` say at the end: what Ray lists, or what failed and what is there now."""

import shlex

from rich.text import Text

from orchestrator.cli.output.console import answer, notice, plural
from orchestrator.cli.output.failures import show_failures, show_result
from orchestrator.cli.output.status_table import gpus_in_all
from orchestrator.cli.run.operation import RunResult
from orchestrator.model.cluster import Cluster
from orchestrator.plan import engine
from orchestrator.plan.engine.membership import Roster
from orchestrator.plan.facts.address import addresses
from orchestrator.plan.facts.host import HostFacts
from orchestrator.plan.steps import StepKind
from orchestrator.remote.execute.events import Status


def show_joined(cluster: Cluster, done: RunResult, path: str | None) -> None:
    """Prints the hosts that are in the cluster, then how to serve on them."""
    state, told = joined(cluster, done)
    answer().print(Text.assemble((state, "bold green"), told))
    _show_model(cluster, done)
    roster = _roster(cluster, done)
    for ip in roster.strangers:
        notice().print(f"Ray also lists a node at {ip} that is not in the inventory", style="yellow")
    if done.plan.phases:
        _show_next(cluster, done, roster, path)


def joined(cluster: Cluster, done: RunResult) -> tuple[str, str]:
    """That the cluster is up, and who is in it."""
    roster = _roster(cluster, done)
    there, total = len(roster.gpus), len(cluster.nodes)
    state = ("is up" if there == total else "is up in part") + (
        "" if done.plan.phases else " already, nothing to do"
    )
    count = f"all {there} hosts" if there == total else f"{there} of {total} hosts"
    told = f"{roster.summary_prefix} {count}{gpus_in_all(roster.gpus.values())}"
    return f"cluster {cluster.name} {state}", f": {told} ({done.seconds:.1f} s)"


def _roster(cluster: Cluster, done: RunResult) -> Roster:
    return engine.of(cluster).roster(cluster, done.facts, done.report.watched, _started(done))


def _show_model(cluster: Cluster, done: RunResult) -> None:
    """What a head that stood keeps serving, and that it comes back by itself where it did not answer before."""
    here = done.facts.get(cluster.head.name)
    served = here.served if isinstance(here, HostFacts) else None
    if served and served.supervised and not served.answers and cluster.head.name not in _started(done):
        answer().print(f"model {served.model.name} is started again by itself: raycluster serve status")


def _started(done: RunResult) -> frozenset[str]:
    return frozenset(change.host for change in done.plan.changes)


def _show_next(cluster: Cluster, done: RunResult, roster: Roster, path: str | None) -> None:
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


def conclude(command: str, cluster: Cluster, done: RunResult, path: str | None, *, events: bool) -> None:
    """Prints it. `path`: the inventory as it was given; `events`: as the last of them."""
    if events:
        headline = _headline(command, cluster, done) if done.exit_code else "".join(joined(cluster, done))
        show_result(command, cluster, done, headline)
    elif done.exit_code == 0:
        show_joined(cluster, done, path)
    else:
        show_failures(_headline(command, cluster, done), done, _what_now(cluster, done))


def _headline(command: str, cluster: Cluster, done: RunResult) -> str:
    if done.interrupted or done.lost:
        return f"{command} of cluster {cluster.name} was interrupted{done.lost and ': ' + done.lost}"
    if _headless(cluster, done):
        return f"cluster {cluster.name} is not up: its head failed"
    return f"cluster {cluster.name} is not complete: {len(done.failed)} of {len(cluster.nodes)} hosts failed"


def _headless(cluster: Cluster, done: RunResult) -> bool:
    """Whether there is no head: it was refused, or this run failed to start it."""
    stood = cluster.head.name not in {change.host for change in done.plan.changes}
    refused = {refusal.host for refusal in done.plan.refusals}
    return cluster.head.name in (refused if stood else done.failed)


def _what_now(cluster: Cluster, done: RunResult) -> str:
    if done.lost:
        return "What it had started was left there, and `raycluster up` goes on from it."
    if done.interrupted:
        return _undone(done)
    if _headless(cluster, done):
        return f"{_undone(done)} Once this is mended, `raycluster up` tries anew."
    rest = "The other hosts stay as they are." if done.removed < done.report.started else _undone(done)
    return f"{rest} Once this is mended, `raycluster up` completes the cluster."


def _undone(done: RunResult) -> str:
    if not done.report.started:
        return f"Nothing was started.{_replaced(done)}"
    if not done.removed:
        return f"What this run had started stays, on {', '.join(sorted(done.report.started))}."
    but = ", but for what is said above" if done.left else ""
    return f"What this run had started was removed again{but}.{_replaced(done)}"


def _replaced(done: RunResult) -> str:
    ended = (result for result in done.report.results if result.status is Status.OK)
    hosts = dict.fromkeys(
        result.step.host for result in ended if result.step.kind is StepKind.REMOVE_CONTAINER
    )
    return f" The old container is gone from {', '.join(hosts)}." if hosts else ""
