"""What `up` says at the end: what Ray lists, and what a person does next."""

import shlex

from rich.text import Text

from orchestrator.cli.acting import Done
from orchestrator.cli.screen import answer, notice, plural
from orchestrator.model.cluster import Cluster
from orchestrator.plan.facts import HostFacts, RayNode, RayTable
from orchestrator.plan.found import ray_table
from orchestrator.plan.ray import parse_table
from orchestrator.plan.settle import addresses


def show_joined(cluster: Cluster, done: Done, path: str | None) -> None:
    """Prints the hosts as Ray lists them, then how to run vLLM on them."""
    state, told = joined(cluster, done)
    answer().print(Text.assemble((state, "bold green"), told))
    _show_model(cluster, done)
    _show_strangers(_table(cluster, done), set(addresses(cluster, done.facts).values()))
    if done.plan.phases:
        _show_next(cluster, _nodes(cluster, done), path)


def joined(cluster: Cluster, done: Done) -> tuple[str, str]:
    """That the cluster is up, and what Ray lists of it."""
    nodes = _nodes(cluster, done)
    whole = len(nodes) == len(cluster.nodes)
    state = ("is up" if whole else "is up in part") + ("" if done.plan.phases else " already, nothing to do")
    count = f"all {len(nodes)} hosts" if whole else f"{len(nodes)} of {len(cluster.nodes)} hosts"
    gpus = plural(sum(node.gpus for node in nodes.values()), "GPU")
    lists = f"Ray {_table(cluster, done).version} lists {count}, {gpus}"
    return f"cluster {cluster.name} {state}", f": {lists} ({done.seconds:.1f} s)"


def _table(cluster: Cluster, done: Done) -> RayTable:
    table = parse_table(done.report.watched) if done.report.watched else ray_table(cluster, done.facts)
    assert isinstance(table, RayTable)  # noqa: S101 - `up` succeeds only when Ray has told
    return table


def _nodes(cluster: Cluster, done: Done) -> dict[str, RayNode]:
    table, ips = _table(cluster, done), addresses(cluster, done.facts)
    return {name: node for name, ip in ips.items() if (node := table.alive(ip))}


def _show_model(cluster: Cluster, done: Done) -> None:
    """What a head that stood keeps serving, and that it comes back by itself where it did not answer before."""
    here = done.facts.get(cluster.head.name)
    served = here.served if isinstance(here, HostFacts) else None
    if served and served.kept and not served.answers and cluster.head.name not in _started(done):
        answer().print(f"model {served.model.name} is started again by itself: raycluster serve status")


def _started(done: Done) -> set[str]:
    return {change.host for change in done.plan.changes}


def _show_strangers(table: RayTable, known: set[str]) -> None:
    for ip in sorted({node.ip for node in table.nodes if node.alive} - known):
        notice().print(f"Ray also lists a node at {ip} that is not in the inventory", style="yellow")


def _show_next(cluster: Cluster, nodes: dict[str, RayNode], path: str | None) -> None:
    width = max(len(name) for name in nodes)
    for name, node in nodes.items():
        answer().print(
            f"  {name:<{width}}  {node.ip}  {plural(node.gpus, 'GPU')}{'  head' if node.is_head else ''}"
        )
    file = f" {shlex.quote(path)}" if path else ""
    model, words = (cluster.serve.name, "") if cluster.serve else ("a model", " MODEL")
    answer().print(f"\nServe {model} on it:")
    answer().print(Text(f"  raycluster serve{f' -i{file}' if file else ''}{words}", "cyan"))
    answer().print(f"Look at it: raycluster status{file}    Take it down: raycluster down{file}")
