"""`serve --plan`: how a model would be spread and whether it fits, without starting anything."""

from orchestrator.cli import usage
from orchestrator.cli.options import RunOptions
from orchestrator.cli.output import json
from orchestrator.cli.output.console import notice, troubles
from orchestrator.cli.output.fit_report import fit_answer, show_fit
from orchestrator.cli.output.typed import shown
from orchestrator.cli.run import inventory_file
from orchestrator.cli.run.run_log import warnings
from orchestrator.cli.run.serving.vllm_words import completed
from orchestrator.cli.run.session import session
from orchestrator.model.cluster import Cluster, Model
from orchestrator.plan.facts.host import Depth
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.serving.presence import NOT_LOOKED_AT, is_looked_at, presence
from orchestrator.plan.serving.shares import chosen_hosts
from orchestrator.plan.serving.sizing import misfit
from orchestrator.plan.serving.spec import Serving
from orchestrator.plan.serving.spread import spread, unsure
from orchestrator.plan.steps import Plan
from orchestrator.remote.observe.models import cache_asker, look_at_models
from orchestrator.remote.observe.vllm_options import options_asker


def preview(cluster: Cluster, wanted: tuple[Model, ...], pace: RunOptions, *, as_json: bool) -> int:
    """Prints it; the exit code: 1 where it does not fit, or could not be served."""
    if len(wanted) > 1:
        names = [each.server for each in wanted]
        inventory_file.refuse(
            f"--plan is for one model, and the inventory has {', '.join(names)}: name one, "
            f"as in {usage.meant('serve', 'serve', names[0])}"
        )
    (model,) = wanted
    with session(cluster, "serve-plan", pace, logged=False) as run:
        facts = run.observe_all(Depth.RAY)
        whole = completed(run, facts, model, options_asker(cluster, model, run.fleet, run.cancel))
        there = NOT_LOOKED_AT
        if isinstance(whole, Model) and is_looked_at(whole):
            ask = cache_asker(cluster, (whole.name,), run.fleet, run.cancel, fit=True)
            caches = look_at_models(chosen_hosts(cluster, whole), ask, run.tell)
            there = presence(whole, caches)
    run.stop_if_interrupted()
    refusals: tuple[HostProblem, ...]
    if isinstance(whole, Problem):
        refusals = (HostProblem(cluster.head.name, whole),)
    else:
        serving = spread(cluster, facts, whole, there)
        if isinstance(serving, Serving) and serving.sizing and not there.refusals:
            doubts = unsure(cluster, facts, serving, there)
            for each in warnings(Plan("", warnings=(*there.lacking, *doubts))):
                notice().print(each, style="yellow")
            if as_json:
                json.show(fit_answer(cluster.name, whole, serving.sizing))
            else:
                show_fit(whole, serving.sizing)
            return 1 if misfit(whole, serving.sizing) else 0
        refusals = there.refusals or (serving if isinstance(serving, tuple) else ())
    if as_json:
        why = "; ".join(f"{each.host}: {shown(each.problem.text, [each.host])}" for each in refusals)
        json.show(json.unplanned(cluster.name, model.name, why))
    troubles((each.host, each.problem) for each in refusals)
    return 1
