"""What `up`, `restart` and `down` say at the end: what is there now, or what failed."""

from rich.text import Text

from orchestrator.cli.output import failures
from orchestrator.cli.output.console import answer, gathered, notice
from orchestrator.cli.output.jsonl import Member
from orchestrator.cli.output.status_table import in_all
from orchestrator.cli.output.typed import limited, line, shown
from orchestrator.cli.run.operation import RunResult
from orchestrator.model.accelerators import KINDS
from orchestrator.plan import engine
from orchestrator.plan.engine.ray import Roster
from orchestrator.plan.facts.address import addresses
from orchestrator.plan.facts.containers import neighbours
from orchestrator.plan.problem import plural
from orchestrator.plan.serving.health import unresponsive
from orchestrator.plan.serving.servers import servers
from orchestrator.plan.steps import StepKind
from orchestrator.plan.typed import ours
from orchestrator.remote.execute.events import Status


def conclude_up(done: RunResult, limit: str | None = None) -> None:
    """Prints how `up` or `restart` ended. `limit`: the hosts that it was for, as they were given."""
    cluster = done.run.cluster
    if done.exit_code:
        failures.conclude(done, _headline(done), _what_now(done, limit))
        return
    roster = engine.of(cluster).roster(cluster, done.facts, done.report.watched, _started(done))
    state, members = _joined(done, roster)
    ips = addresses(cluster, done.facts)
    there = [Member(host=name, ip=ips[name], gpus=gpus) for name, gpus in roster.gpus.items()]
    if not failures.conclude(done, state + members, "", members=there):
        return
    answer().print(Text.assemble((state, "bold green"), members))
    _show_model(done)
    for ip in roster.strangers:
        notice().print(f"Ray also lists a node at {ip} that is not in the inventory", style="yellow")
    if done.plan.phases:
        _show_next(done, roster)


def conclude_down(done: RunResult, only: frozenset[str] | None, limit: str | None = None) -> None:
    """Prints how `down` ended, of the cluster or of those hosts of it."""
    nodes = done.run.cluster.nodes
    on = "" if only is None else f" on {', '.join(node.name for node in nodes if node.name in only)}"
    message = _down_message(f"cluster {done.run.cluster.name}{on}", done)
    again = done.interrupted or any(node.name in done.failed for node in nodes)
    line = ours("down", *limited(limit))
    what_now = shown(f"Once this is fixed, {line} takes down what remains.") if again else ""
    if failures.conclude(done, message, what_now):
        answer().print(message)


def _down_message(what: str, done: RunResult) -> str:
    """How `down` ended, in a sentence."""
    if done.exit_code:
        failed = f"{plural(len(done.failed), 'host')} failed"
        why = done.lost or ("interrupted" if done.interrupted else failed)
        return f"{what} is not known to be down: {why}"
    if done.plan.phases:
        hosts = plural(len(done.plan.changes), "host")
        return f"{what} is down: its containers are gone from {hosts} ({done.seconds:.1f} s)"
    others = gathered((host, other.cluster) for host, other in neighbours(done.facts) if other.running)
    stand = (f"cluster {name} runs on {', '.join(dict.fromkeys(hosts))}" for name, hosts in others.items())
    return "; ".join((f"{what} is down already: none of its hosts has a container of it", *stand))


def _joined(done: RunResult, roster: Roster) -> tuple[str, str]:
    """That the cluster is up, and who is in it."""
    cluster = done.run.cluster
    there, total = len(roster.gpus), len(cluster.nodes)
    state = ("is up" if there == total else "is up in part") + (
        "" if done.plan.phases else " already, nothing to do"
    )
    count = f"all {there} hosts" if there == total else f"{there} of {total} hosts"
    of = {node.name: node.accelerator for node in cluster.nodes}
    members = (
        f"{roster.summary_prefix} {count}{in_all((of[name], gpus) for name, gpus in roster.gpus.items())}"
    )
    return f"cluster {cluster.name} {state}", f": {members} ({done.seconds:.1f} s)"


def _show_model(done: RunResult) -> None:
    """What hosts that stood keep serving, and that it comes back by itself where it did not answer before."""
    for server in servers(done.facts).values():
        first = server.first
        if not first or not first.supervised or first.answers or server.host in _started(done):
            continue
        if first.state == "unresponsive":
            now = line("serve", server.model.name)
            answer().print(f"model {server.title} does not answer: {unresponsive(first)}; now: {now}")
        else:
            answer().print(f"model {server.title} is started again by itself: {line('serve status')}")


def _started(done: RunResult) -> frozenset[str]:
    return frozenset(change.host for change in done.plan.changes)


def _show_next(done: RunResult, roster: Roster) -> None:
    cluster, width = done.run.cluster, max(len(name) for name in roster.gpus)
    ips = addresses(cluster, done.facts)
    devices = {node.name: KINDS[node.accelerator].device for node in cluster.nodes}
    for name, gpus in roster.gpus.items():
        count = "" if gpus is None else f"  {plural(gpus, devices[name])}"
        role = "  head" if name == cluster.head.name else ""
        answer().print(f"  {name:<{width}}  {ips[name]}{count}{role}")
    models, words = ", ".join(model.name for model in cluster.serve), () if cluster.serve else ("MODEL",)
    answer().print(f"\nServe {models or 'a model'} on it:")
    answer().print(Text(f"  {line('serve', *words)}", "cyan"))
    answer().print(f"Look at it: {line('status')}    Take it down: {line('down')}")


def _headline(done: RunResult) -> str:
    cluster = done.run.cluster
    if done.interrupted or done.lost:
        return f"{done.run.command} of cluster {cluster.name} was interrupted{done.lost and ': ' + done.lost}"
    if _headless(done):
        every = len(cluster.nodes) > 1 and done.failed >= {node.name for node in cluster.nodes}
        why = f"all {len(cluster.nodes)} hosts failed" if every else "its head failed"
        return f"cluster {cluster.name} is not up: {why}"
    return f"cluster {cluster.name} is not complete: {len(done.failed)} of {len(cluster.nodes)} hosts failed"


def _headless(done: RunResult) -> bool:
    """Whether there is no head: it was refused, or this run failed to start it."""
    head = done.run.cluster.head.name
    refused = {refusal.host for refusal in done.plan.refusals}
    return head in (done.failed if head in _started(done) else refused)


def _what_now(done: RunResult, limit: str | None) -> str:
    again = ours("up", *limited(limit))
    if done.lost:
        return shown(f"What it had started was left there, and {again} goes on from it.")
    if done.interrupted:
        return _undone(done)
    if _headless(done):
        return shown(f"{_undone(done)} Once this is fixed: {again}")
    rest = "The other hosts stay as they are." if done.removed < done.report.started else _undone(done)
    return shown(f"{rest} Once this is fixed: {again}")


def _undone(done: RunResult) -> str:
    if not done.report.started:
        return f"Nothing was started.{_replaced(done)}"
    if not done.removed:
        return f"What this run had started stays, on {', '.join(sorted(done.report.started))}."
    but = ", except for what is said above" if done.left else ""
    return f"What this run had started was removed again{but}.{_replaced(done)}"


def _replaced(done: RunResult) -> str:
    ended = (result for result in done.report.results if result.status is Status.OK)
    hosts = dict.fromkeys(
        result.step.host for result in ended if result.step.kind is StepKind.REMOVE_CONTAINER
    )
    return f" The old container is gone from {', '.join(hosts)}." if hosts else ""
