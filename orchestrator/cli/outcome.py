"""What `up` and `restart` say at the end: what Ray lists, or what failed and what is there now."""

from orchestrator.cli.acting import Done
from orchestrator.cli.failures import show_failures, show_mended
from orchestrator.cli.joined import joined, show_joined
from orchestrator.cli.result_line import show_result
from orchestrator.model.cluster import Cluster
from orchestrator.plan.down import STOP
from orchestrator.plan.up import REMOVE_OLD
from orchestrator.remote.report import Status


def conclude(command: str, cluster: Cluster, done: Done, path: str | None, *, events: bool) -> None:
    """Prints it. `path`: the inventory as it was given; `events`: as the last of them."""
    if not events:
        show_mended(done)
    if events:
        headline = _headline(command, cluster, done) if done.exit_code else "".join(joined(cluster, done))
        show_result(command, cluster, done, headline)
    elif done.exit_code == 0:
        show_joined(cluster, done, path)
    else:
        show_failures(_headline(command, cluster, done), done, _what_now(cluster, done))


def _headline(command: str, cluster: Cluster, done: Done) -> str:
    if done.interrupted or done.lost:
        return f"{command} of cluster {cluster.name} was interrupted{done.lost and ': ' + done.lost}"
    if _headless(cluster, done):
        return f"cluster {cluster.name} is not up: its head failed"
    return f"cluster {cluster.name} is not complete: {len(done.failed)} of {len(cluster.nodes)} hosts failed"


def _headless(cluster: Cluster, done: Done) -> bool:
    """Whether there is no head: it was refused, or this run failed to start it."""
    stood = cluster.head.name not in {change.host for change in done.plan.changes}
    refused = {refusal.host for refusal in done.plan.refusals}
    return cluster.head.name in (refused if stood else done.failed)


def _what_now(cluster: Cluster, done: Done) -> str:
    if done.lost:
        return "What it had started was left there, and `raycluster up` goes on from it."
    if done.interrupted:
        return _undone(done)
    if _headless(cluster, done):
        return f"{_undone(done)} Once this is mended, `raycluster up` tries anew."
    rest = "The other hosts stay as they are." if done.removed < done.report.started else _undone(done)
    return f"{rest} Once this is mended, `raycluster up` completes the cluster."


def _undone(done: Done) -> str:
    if not done.report.started:
        return f"Nothing was started.{_replaced(done)}"
    if not done.removed:
        return f"What this run had started stays, on {', '.join(sorted(done.report.started))}."
    but = ", but for what is said above" if done.left else ""
    return f"What this run had started was removed again{but}.{_replaced(done)}"


def _replaced(done: Done) -> str:
    ended = (result for result in done.report.results if result.status is Status.OK)
    hosts = dict.fromkeys(result.step.host for result in ended if result.step.title in {REMOVE_OLD, STOP})
    return f" The old container is gone from {', '.join(hosts)}." if hosts else ""
