"""The inventory's models, as hosts have them before they are served."""

from orchestrator.model.cluster import Cluster, Model
from orchestrator.plan.actions.models import Caches
from orchestrator.plan.checks.finding import Findings, failure, ok, warning
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.models import title
from orchestrator.plan.progress import size
from orchestrator.plan.serving.presence import is_looked_at, presence, revision
from orchestrator.plan.serving.shares import chosen_hosts


def check_model(cluster: Cluster, caches: Caches) -> Findings:
    """Who lacks what of each. Of hosts whose containers or images could not be asked, other findings tell."""
    for model in cluster.serve:
        if is_looked_at(model):
            hosts = {node.name for node in chosen_hosts(cluster, model)}
            yield from _check(model, {host: each for host, each in caches.items() if host in hosts})


def _check(model: Model, caches: Caches) -> Findings:
    found = presence(model, caches)
    bad = {each.host for each in (*found.lacking, *found.refusals)}
    for each in found.lacking:
        yield warning(each.host, "model", each.problem.text, each.problem.fix)
    for each in found.refusals:
        yield failure(each.host, "model", each.problem.text, each.problem.fix)
    for host, cache in caches.items():
        if not isinstance(cache, Unreachable) and host not in bad and (one := revision(model, cache)):
            yield ok(host, "model", f"has {title(model.name, one.names, one.commit)}, {size(one.bytes)}")
