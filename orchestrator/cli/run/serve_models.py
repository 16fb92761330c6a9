"""Models that are served, one run for each: brought where that is wished, started, waited for, told of."""

from functools import partial
from typing import TYPE_CHECKING

from orchestrator.cli.run import inventory_file
from orchestrator.frozen import dataclass

if TYPE_CHECKING:
    from orchestrator.cli.options import RunOptions
    from orchestrator.cli.run.operation import RunResult
    from orchestrator.cli.run.session import Session
    from orchestrator.model.cluster import Cluster, Model
    from orchestrator.plan.facts.host import Facts
    from orchestrator.plan.problem import Problem
    from orchestrator.plan.steps import Plan
    from orchestrator.remote.execute.events import Report


def serve(cluster: "Cluster", wanted: "tuple[Model, ...]", pace: "RunOptions", *, force: bool = False) -> int:
    """Serves the models and tells of each; the exit code. Several load side by side; one that fails keeps none from it.

    `force`: although they do not fit.
    """
    from orchestrator.cli.output.serve_result import conclude, conclude_all

    codes: dict[str, int] = {}
    begun: dict[str, Begun] = {}
    for model in wanted:
        if code := _bring(cluster, model, pace) if model.pull else 0:
            codes[model.server] = code
        elif wanted[1:]:
            begun[model.server] = first = _run(cluster, model, pace, force=force, waits=False)
            if first.done.exit_code:
                codes[model.server] = first.done.exit_code
                conclude(model, first.done)
        if codes.get(model.server, 0) not in GOES_ON:
            break
    for model in wanted:
        if any(code not in GOES_ON for code in codes.values()):
            break
        if model.server not in codes:
            done = _run(cluster, model, pace, force=force, begun=begun.get(model.server)).done
            codes[model.server] = done.exit_code
            conclude(model, done)
    conclude_all(codes, tuple(model.server for model in wanted), frozenset(begun), pace)
    return max(codes.values())


@dataclass(frozen=True, slots=True)
class Begun:
    """A server that was started: how that went, and the plan of what is left, which is to wait for it."""

    done: "RunResult"
    rest: "Plan"


GOES_ON = (0, 1)
"""Exit codes after which the next model is served: it was not interrupted, and no other run has the lock."""


def _run(
    cluster: "Cluster",
    model: "Model",
    pace: "RunOptions",
    *,
    force: bool,
    waits: bool = True,
    begun: Begun | None = None,
) -> Begun:
    """One run for a model: its start, unless it has `begun`, and where it `waits`, what comes until it answers."""
    from orchestrator.cli.run.operation import execute, looking
    from orchestrator.model.cluster import Model
    from orchestrator.model.secret import Secret
    from orchestrator.plan.facts.host import Depth
    from orchestrator.plan.problem import HostProblem, Problem
    from orchestrator.plan.serving import arguments
    from orchestrator.plan.serving.plan import hosts_for, in_two, plan_serve, plan_unserve
    from orchestrator.plan.serving.presence import NOT_LOOKED_AT, is_looked_at
    from orchestrator.plan.steps import Plan, Run
    from orchestrator.remote.observe.models import look_at_presence

    there = [NOT_LOOKED_AT]
    wanted: list[Model | Problem] = [model]
    rest = [Plan("")]

    def look(run: "Session", known: "Facts") -> "tuple[Facts, Report]":
        facts, before = looking(Depth.RAY)(run, known)
        if begun:
            return facts, begun.done.report
        wanted[:] = [completed(run, facts, model)]
        if (
            isinstance(whole := wanted[0], Model)
            and is_looked_at(whole)
            and any(isinstance(each, Run) and each.starts for each in plan_serve(cluster, facts, whole))
        ):
            tools = run.fleet, run.tell, run.cancel
            there[:] = [look_at_presence(cluster, hosts_for(cluster, facts, whole), whole, *tools)]
        return facts, before

    def planner(facts: "Facts") -> "Plan":
        if begun:
            return begun.rest
        if isinstance(wanted[0], Problem):
            return Plan(f"serve {model.name}", refusals=(HostProblem(cluster.head.name, wanted[0]),))
        plan = plan_serve(cluster, facts, wanted[0], there[0], force=force)
        starts, rest[0] = (plan, rest[0]) if waits else in_two(plan)
        return starts

    aftermath = partial(plan_unserve, cluster, model.server)
    key = Secret(
        "--api-key", arguments.read(model.args).value(arguments.API_KEY)
    )  # vLLM logs what it is told
    done = execute("serve", cluster, look, planner, pace, (key,), aftermath=aftermath)
    return Begun(done, rest[0])


def completed(run: "Session", facts: "Facts", model: "Model") -> "Model | Problem":
    """The model with its words as the image's vLLM reads them, where there are words and somebody to ask."""
    from orchestrator.plan.facts.containers import why_not_ready
    from orchestrator.plan.facts.host import Unreachable
    from orchestrator.plan.serving.completion import completed as read_words
    from orchestrator.plan.serving.completion import unread
    from orchestrator.remote.observe.vllm_options import look_at_options

    cluster = run.cluster
    if not model.args or why_not_ready(cluster, cluster.head, facts[cluster.head.name]):
        return model
    options = look_at_options(cluster, model, run.fleet, run.tell, run.cancel)
    return unread(model, options) if isinstance(options, Unreachable) else read_words(model, options)


def _bring(cluster: "Cluster", model: "Model", pace: "RunOptions") -> int:
    """Brings a model of the inventory's to hosts that lack some of it, if any; the exit code."""
    from orchestrator.cli.run.model_operation import Wish, conclude, execute
    from orchestrator.cli.run.session import session
    from orchestrator.plan.actions.models import TOKENS, plan_pull
    from orchestrator.plan.serving.presence import presence, revision_of
    from orchestrator.plan.serving.shares import chosen_hosts
    from orchestrator.remote.observe.models import look_at_models

    nodes = chosen_hosts(cluster, model)
    if "/" not in model.name or model.name.startswith("/"):
        inventory_file.refuse(f"serve: {model.name} is a folder, which `pull` cannot bring")
    with session(cluster, "model", pace, logged=False) as run:
        caches = look_at_models(cluster, nodes, (model.name,), run.fleet, run.tell, run.cancel)
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
