"""Pull of a model that is to be served, where the inventory says so and some host lacks some of it."""

from typing import TYPE_CHECKING

from orchestrator.cli.run import inventory_file

if TYPE_CHECKING:
    from orchestrator.cli.options import RunOptions
    from orchestrator.model.cluster import Cluster, Model


def bring(cluster: "Cluster", model: "Model", pace: "RunOptions") -> int:
    """Brings a model of the inventory's to hosts that lack some of it, if any; the exit code."""
    from orchestrator.cli.run.model_operation import Wish, conclude, execute
    from orchestrator.cli.run.session import session
    from orchestrator.plan.actions.models import TOKENS, plan_pull
    from orchestrator.plan.serving.presence import presence, revision_of
    from orchestrator.plan.serving.shares import chosen_hosts
    from orchestrator.remote.observe.models import cache_asker, look_at_models

    nodes = chosen_hosts(cluster, model)
    if "/" not in model.name or model.name.startswith("/"):
        inventory_file.refuse(f"serve: {model.name} is a folder, which `pull` cannot bring")
    with session(cluster, "model", pace, logged=False) as run:
        caches = look_at_models(nodes, cache_asker(cluster, (model.name,), run.fleet, run.cancel), run.tell)
    run.stop_if_interrupted()
    found = presence(model, caches)
    if found.offline or not found.lacking:
        return 0
    secrets = inventory_file.secrets(cluster)
    token = next((each for each in secrets if each.name in TOKENS), None)
    revision = revision_of(model)
    first = plan_pull(cluster, nodes[0], model.name, revision, token, everything=False)
    wish = Wish(model.name, revision, nodes[0], nodes, first)
    return conclude(execute("model pull", cluster, wish, pace, secrets), (model.name,))
